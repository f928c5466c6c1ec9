"""Options that several commands share, which make images but no audit."""

from __future__ import annotations

from typing import Annotated

import typer

Scheduler = Annotated[str, typer.Option(help="As in `fairaudit compare`.")]
Steps = Annotated[
    int | None, typer.Option(help="Steps of the scheduler. [default: the model's]", show_default=False)
]
GuidanceScale = Annotated[
    float | None,
    typer.Option(help="Weight of classifier-free guidance. [default: the model's]", show_default=False),
]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
Batch = Annotated[int, typer.Option(help="Rows of a network call.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
