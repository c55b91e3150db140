"""Turns the results of a benchmark run into the section that docs/benchmarks.md shows."""

import math


def milliseconds(figure):
    return f"{figure['median'] * 1000:,.0f}"


def spread(figure):
    return f"{figure['least']:.2f}–{figure['most']:.2f}"


def mebibytes(kib):
    return f"{kib / 1024:,.0f}"


def table(columns, rows, align="|---:"):
    lines = ["| " + " | ".join(columns) + " |", "|---" + align * (len(columns) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def ratio(slower, faster):
    return slower["median"] / faster["median"]


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def render_machine(results):
    machine = results["machine"]
    return [
        "## Cresset against kfp.local and ninja",
        "",
        f"`{results['command']}` on {results['date'][:10]} at commit {results['commit']}. "
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}, load {machine['load']:.1f} at the start. "
        f"{results['cresset'].splitlines()[0]}, Python {results['python']}, kfp {results['kfp']}, "
        f"ninja {results['ninja']}. Medians of {results['repeats']} runs unless said otherwise; "
        "the rivals take turns.",
        "",
    ]


def render_pipelines(part):
    rows, ratios = [], []
    for row in part["rows"]:
        faster = ratio(row["kfp_local"], row["cresset"])
        ratios.append(faster)
        rows.append(
            [
                row["pipeline"],
                str(row["steps"]),
                milliseconds(row["cresset"]),
                milliseconds(row["kfp_local"]),
                f"{faster:.1f}",
                mebibytes(row["cresset_peak_kib"]),
                mebibytes(row["kfp_local_peak_kib"]),
            ]
        )
    columns = ["pipeline", "steps", "cresset, ms", "kfp.local, ms", "times faster"]
    columns += ["cresset, MiB", "kfp.local, MiB"]
    lines = [
        "### Pipelines that kfp.local can run, its fair mode",
        "",
        "kfp.local with `use_venv=False` and steps that install nothing; only the call of the "
        "pipeline is timed. Cresset is timed as a whole process, `cresset run --no-cache`, on the "
        "file as it was compiled. Memory: peak of the engine without its steps, cresset with its "
        "keeper.",
        "",
        *table(columns, rows),
        "",
    ]
    if ratios:
        lines += [
            f"Geometric mean: {geometric_mean(ratios):.1f} times faster; least {min(ratios):.1f}, "
            f"most {max(ratios):.1f}.",
            "",
        ]
    if part["refused"]:
        lines += ["Not run by kfp.local, and so not compared:", ""]
        lines += [f"- {entry['pipeline']}: {entry['reason']}" for entry in part["refused"]]
        lines.append("")
    return lines


def render_defaults(part):
    rows = [
        [
            f"{row['pipeline']}, {row['mode']}",
            milliseconds(row["cresset"]),
            milliseconds(row["kfp_local"]),
            f"{ratio(row['kfp_local'], row['cresset']):.0f}",
        ]
        for row in part["rows"]
    ]
    lines = [
        "### What users of kfp.local get",
        "",
        "Steps with the usual preamble that installs kfp: into the running environment "
        "(`use_venv=False`), and into a new one for each step (`use_venv=True`, the default). "
        "Medians of 3.",
        "",
    ]
    if rows:
        columns = ["pipeline", "cresset, ms", "kfp.local, ms", "times faster"]
        lines += [*table(columns, rows), ""]
    if part["skipped"]:
        lines += ["Skipped (these modes need a package index):", ""]
        lines += [f"- {row['pipeline']}, {row['mode']}: {row['reason']}" for row in part["skipped"]]
        lines.append("")
    return lines


def render_fan_out(part):
    rows = []
    for row in part["rows"]:
        rows.append(
            [
                row["form"],
                f"{row['cresset']['median']:.2f} ({spread(row['cresset'])})",
                f"{row['ninja']['median']:.2f} ({spread(row['ninja'])})",
                f"{ratio(row['cresset'], row['ninja']):.2f}",
                mebibytes(row["cresset_peak_kib"]),
                mebibytes(row["ninja_peak_kib"]),
            ]
        )
    columns = ["form", "cresset, s", "ninja, s", "cresset ÷ ninja", "cresset, MiB", "ninja, MiB"]
    return [
        f"### Fan-out: {part['count']:,} commands that do nothing",
        "",
        f"`true`, {part['jobs']} at a time, as so many tasks and as one `ParallelFor`, against "
        "ninja with the same commands. Cresset keeps every step's log, state and times, and could "
        "resume; ninja keeps a line for each.",
        "",
        *table(columns, rows),
        "",
    ]


def render_help(part):
    ours, nothing = part["cresset"], part["true"]
    return [
        "### Start",
        "",
        f"`cresset --help`: {ours['median'] * 1000:.1f} ms (median of {len(ours['samples'])}); "
        f"`true` in the same harness: {nothing['median'] * 1000:.1f} ms.",
        "",
    ]


def seconds(figure):
    if figure["median"] < 0.1:
        low, high = figure["least"] * 1e3, figure["most"] * 1e3
        return f"{figure['median'] * 1e3:.1f} ms ({low:.1f}–{high:.1f})"
    return f"{figure['median']:.2f} s ({spread(figure)})"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def contender(name, figure):
    memory = f", {mebibytes(figure['peak_kib'])} MiB" if figure.get("peak_kib") else ""
    processor = figure.get("processor_seconds")
    spent = f", {processor:.2f} CPU s" if processor is not None and processor >= 0.1 else ""
    return f"{name} {seconds(figure)}{spent}{memory}"


def render_rows(part):
    rows, notes = [], []
    for row in part.values():
        figures = "; ".join(contender(name, figure) for name, figure in row["figures"].items())
        targets = "; ".join(
            f"{wanted['text']}: {number(wanted['value'])}{wanted['unit']}, "
            + ("met" if wanted["met"] else "**missed**")
            for wanted in row["targets"]
        )
        rows.append([row["measure"], figures, targets])
        notes += [f"- {row['measure']}: {note}" for note in row["notes"]]
    return [
        "### As fast as the machine",
        "",
        "Medians, with least and most; memory is the peak of the engine with its keeper, or of the "
        "rival's own process, without steps. CPU s: of all that took part, steps included; on a "
        "machine that has other work it says more than the time.",
        "",
        *table(["measure", "figures", "to be reached: reached"], rows, align="|---"),
        "",
        *notes,
        *([""] if notes else []),
    ]


def render(results):
    """Returns the report as Markdown."""
    lines = render_machine(results)
    for part, renderer in [
        ("rows", render_rows),
        ("pipelines", render_pipelines),
        ("defaults", render_defaults),
        ("fan_out", render_fan_out),
        ("help", render_help),
    ]:
        if part in results:
            lines += renderer(results[part])
    return "\n".join(lines)
