"""The authors' weights."""

from workflow.description import Description

DESCRIPTION = Description("Representations")
