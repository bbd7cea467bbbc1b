"""Runs GitHub Actions workflows here, by GitHub's documented rules. Begin at `GitHub` in github.py; see tests/README.md."""

from .events import pull_request, push, repository_dispatch, schedule, workflow_dispatch
from .github import GitHub
from .machine import Machine
from .repository import BOT, App, Environment, PullRequest, Repository, Settings, Token
from .results import Annotation, JobResult, StepResult
from .run import Run
from .workflow import WorkflowError, load_workflow
from .workplace import Kill

__all__ = [
    "BOT",
    "Annotation",
    "App",
    "Environment",
    "GitHub",
    "JobResult",
    "Kill",
    "Machine",
    "PullRequest",
    "Repository",
    "Run",
    "Settings",
    "StepResult",
    "Token",
    "WorkflowError",
    "load_workflow",
    "pull_request",
    "push",
    "repository_dispatch",
    "schedule",
    "workflow_dispatch",
]
