"""A generator for programs without PyTorch."""

from workflow.description import Description

DESCRIPTION = Description("Training")
