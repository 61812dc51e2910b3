"""The command ``finecut``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.cli import config, environment, paths, results
from deployments.cli.cache import app as cache_app
from deployments.cli.models import app as models_app
from deployments.cli.progress import view
from deployments.cli.running import apart, stoppable, told_plainly
from deployments.cli.why import why_command
from deployments.cli.worker import worker_command
from tasks.errors import BadSettings
from tasks.media.files import read_plan
from tasks.render.checking import plan_from

app = typer.Typer(
    name="finecut",
    help="Turn footage of somebody talking into the finished video; every frame encoded once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cache_app, name="cache")
app.add_typer(models_app, name="models")
app.command(name="why")(why_command)
app.command(name="worker")(worker_command)

SETTINGS_HELP = f"Settings, for `--set` and for the TOML file:\n\n{config.described()}"

Videos = Annotated[
    list[Path], typer.Argument(help="One file, or several that make up one talk, in order.")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings as a TOML file.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="One setting: zoom.max=1.3. May be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
IsPreview = Annotated[bool, typer.Option("--preview", help="The whole film, small and fast.")]
From = Annotated[
    str | None, typer.Option("--from", help="Only from here on: 90s, 1:30 (of the finished film).")
]
To = Annotated[str | None, typer.Option("--to", help="Only up to here; to whole chunks.")]
IsDry = Annotated[bool, typer.Option("--dry-run", help="Show what would be cut; render nothing.")]
IsQuiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
IsVerbose = Annotated[bool, typer.Option("--verbose", help="Show logs and tracebacks.")]


@app.command(epilog=SETTINGS_HELP)
def edit(  # noqa: PLR0917 - Typer makes options of them
    videos: Videos,
    output: Output = None,
    config_file: Config = None,
    set_: Set = None,
    preview: IsPreview = False,
    start: From = None,
    end: To = None,
    dry_run: IsDry = False,
    as_json: AsJson = False,
    quiet: IsQuiet = False,
    verbose: IsVerbose = False,
) -> None:
    """Edit footage into the finished video: talk.mp4 becomes talk.finecut.mp4."""
    with told_plainly(as_json=as_json, verbose=verbose):
        settings = config.load_settings(config_file, set_ or [])
        footage = paths.existing(videos)
        excerpt = paths.excerpt_from(start, end)
        kind = ".".join(["preview"] * preview + ["excerpt"] * (excerpt is not None))
        if dry_run and excerpt:
            raise BadSettings("--dry-run renders nothing", "leave --from and --to out")
        target = None if dry_run else paths.output_for(footage, output, kind)
        folder = paths.artifacts_for(target) if target and not kind else None
        values = {
            "videos": footage,
            "output": target,
            "artifacts": folder,
            "settings": settings,
            "preview": preview,
            "excerpt": excerpt,
        }
        report = None
        if target is not None and excerpt is None and not environment.has_server():
            report = _answered(values)
        if report is None:
            report = _run("edit", values, as_json=as_json, quiet=quiet, verbose=verbose)
        _show(report, as_json=as_json, is_dry=dry_run)


@app.command(epilog=SETTINGS_HELP)
def plan(  # noqa: PLR0917 - Typer makes options of them
    videos: Videos,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the plan goes; none: plan.json.")
    ] = None,
    config_file: Config = None,
    set_: Set = None,
    preview: IsPreview = False,
    as_json: AsJson = False,
    quiet: IsQuiet = False,
    verbose: IsVerbose = False,
) -> None:
    """Decide the edit and write it down as a plan that can be read, edited and rendered."""
    with told_plainly(as_json=as_json, verbose=verbose):
        settings = config.load_settings(config_file, set_ or [])
        footage = paths.existing(videos)
        target = paths.plan_for(footage, output)
        values = {"videos": footage, "settings": settings, "preview": preview, "plan": target}
        report = _run("edit", values, as_json=as_json, quiet=quiet, verbose=verbose)
        _show(report, as_json=as_json, is_dry=True)


@app.command()
def render(  # noqa: PLR0917 - Typer makes options of them
    plan_file: Annotated[Path, typer.Argument(help="A plan that `finecut plan` wrote.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    footage: Annotated[
        list[Path] | None,
        typer.Option("--footage", help="Where footage lies now: a file or a folder to search."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="render.where=pool, render.pool=NAME, render.full_check=true."),
    ] = None,
    start: From = None,
    end: To = None,
    as_json: AsJson = False,
    quiet: IsQuiet = False,
    verbose: IsVerbose = False,
) -> None:
    """Render a plan."""
    with told_plainly(as_json=as_json, verbose=verbose):
        target, excerpt = paths.output_for([plan_file], output), paths.excerpt_from(start, end)
        by = config.load_settings(None, config.without_result(set_ or [])).render
        values = {
            "plan": _plan_in(plan_file),
            "roots": [path.absolute() for path in footage or []] + [plan_file.absolute().parent],
            "output": target,
            "artifacts": None if excerpt else paths.artifacts_for(target),
            "where": by.where,
            "pool": by.pool,
            "full_check": by.full_check,
            "excerpt": excerpt,
        }
        report = _run("render_document", values, as_json=as_json, quiet=quiet, verbose=verbose)
        _show(report, as_json=as_json, is_dry=False)


@app.command(name="doctor")
def doctor_command(as_json: AsJson = False) -> None:
    """Check that everything finecut needs on this machine is there."""
    environment.prepare(verbose=False)
    from deployments.cli import doctor

    with told_plainly(as_json=as_json, verbose=False):
        findings = doctor.examine()
        if as_json:
            results.print_json(doctor.as_document(findings))
        else:
            doctor.print_findings(findings)
        if any(finding.is_needed and not finding.ok for finding in findings):
            raise typer.Exit(3)


def _answered(values: dict[str, Any]) -> dict[str, Any] | None:
    """Return the report of an edit that was made before; none where a flow has to run."""
    from tasks.answers import EditRequest, answered
    from tasks.media.store import open_store
    from tasks.render.plan import settings_of

    preview, suffix = values["preview"], values["output"].suffix
    settings = settings_of(values["settings"], is_preview=preview, suffix=suffix)
    asked = EditRequest(tuple(values["videos"]), values["output"], values["artifacts"], settings)
    return answered(open_store(), asked, preview=preview)


def _run(
    flow_name: str, values: dict[str, Any], *, as_json: bool, quiet: bool, verbose: bool
) -> dict[str, Any]:
    """Run a flow with its parameters, under Prefect where a server is set."""
    environment.prepare(verbose=verbose)
    with view(quiet=quiet or as_json or verbose) as listener:
        from tasks.run import listening, stop_all

        run = _carried_out(flow_name)
        with stoppable(stop_all, as_json=as_json), listening(listener):
            return apart(lambda: run(**values))


def _carried_out(flow_name: str) -> Callable[..., dict[str, Any]]:
    """Return a flow as it is run here: by Prefect where a server is set, else without it."""
    if environment.has_server():
        import flows.edit

        flow: Callable[..., dict[str, Any]] = getattr(flows.edit, flow_name)
        return flow
    from flows import film
    from tasks.engine import without_prefect

    return partial(without_prefect, getattr(film, flow_name), film.WORKERS)


def _plan_in(plan_file: Path) -> Path | dict[str, Any]:
    """Return a plan as the flow is given it: by name, or whole from a pipe, which is read once.

    Prefect's server takes no parameters above half a megabyte (the plan of an hour is larger), and
    a document that is handed on lies in memory to the end.

    Raises:
        BadInput: there is a slip in it, which is told before anything is begun.
    """
    document = read_plan(plan_file)
    plan_from(document)
    return plan_file.absolute() if plan_file.is_file() else document


def _show(report: dict[str, Any], *, as_json: bool, is_dry: bool) -> None:
    if as_json:
        results.print_json(report)
        return
    results.print_report(report)
    if is_dry:
        results.print_cuts(report)
        results.print_graphs(report)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
