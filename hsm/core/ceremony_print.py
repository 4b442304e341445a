"""What people hold in their hands: the checklist before a key ceremony and the transcript after it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hsm.core.ceremony import Ceremony, file_digest
from hsm.core.ceremony_plan import StepKind, plan
from trustcore.crypto.digests import sm3

__all__ = ["checklist", "transcript_html", "transcript_markdown"]

_REHEARSAL = "演练 REHEARSAL — 其密钥不得用于生产 its keys are not for production"
_OCTETS = frozenset({"public_key", "request"})
"""Long base64; the digests beside it are enough on paper."""
_STYLE = (
    "body{font:11pt/1.5 serif;max-width:48em;margin:2em auto}table{border-collapse:collapse;width:100%}"
    "td,th{border:1px solid #999;padding:.3em .5em;vertical-align:top;text-align:left}tr{break-inside:avoid}"
    "code{overflow-wrap:anywhere}.mark{border:3px solid #b00;color:#b00;padding:.5em;font-weight:bold}"
    ".sign td{height:3em}"
)


def checklist(data: bytes, file: Ceremony) -> str:
    """The script as plain text in both languages, with a box for each step and the digest that reviewers approve."""
    digest = file_digest(data).hex()
    lines = [file.ceremony.title, "=" * 72, *([_REHEARSAL, ""] if file.ceremony.rehearsal else [])]
    lines += [
        f"目的 Purpose:  {file.ceremony.purpose}",
        f"地点 Place:    {file.ceremony.place}",
        f"文件 SM3 of the file: {digest}",
        "",
    ]
    for step in plan(file):
        lines.append(f"[ ] {step.number:>2}. {step.zh}")
        lines.append(f"        {step.en}")
        lines += [f"        {name} = {value}" for name, value in step.expected.items() if value != step.subject]
    return "\n".join(lines) + "\n"


def transcript_markdown(content: Mapping[str, Any], file: Ceremony, data: bytes) -> str:
    """The transcript as Markdown, which is also its plain text.

    Args:
        content: of :func:`hsm.core.ceremony_transcript.read_transcript`.
        file: the ceremony file inside.
        data: the octets that are signed; their digest stands on the paper.
    """
    lines = [f"# {_md(file.ceremony.title)}", ""]
    if _is_marked(content):
        lines += [f"**{_REHEARSAL}**", ""]
    lines += [f"- {name}: {_md(value)}" for name, value in _heads(content, file, data)]
    lines += ["", "## 人员 Persons", ""]
    lines += [f"- {_md(person.name)} ({person.role})" for person in file.person]
    lines += ["", "## 审核 Reviews", ""]
    lines += [f"- {_md(str(r['reviewer']))}, {r['at']} ({_md(str(r['login']))})" for r in content["reviews"]]
    lines += ["", "## 步骤 Steps", ""]
    for step in content["steps"]:
        lines += [f"{step['number']}. {_md(step['zh'])}", f"   {_md(step['en'])}"]
        lines += [f"   - {name}: {_md(value)}" for name, value in _values(step)]
        lines.append(f"   - {_md(step['confirmed_by'])}, {step['confirmed_at']}")
    return "\n".join(lines) + "\n"


def transcript_html(content: Mapping[str, Any], file: Ceremony, data: bytes) -> str:
    """The transcript as one printable page with a line for each signature; arguments as of the Markdown."""
    heads = "".join(
        f"<tr><th>{escape(n)}</th><td><code>{escape(v)}</code></td></tr>" for n, v in _heads(content, file, data)
    )
    rows = "".join(_html_step(step) for step in content["steps"])
    reviews = "".join(
        f"<tr><td>{escape(str(r['reviewer']))}</td><td>{escape(str(r['at']))}</td></tr>" for r in content["reviews"]
    )
    hands = "".join(
        f"<tr><td>{escape(person.name)}</td><td>{escape(person.role)}</td><td></td></tr>" for person in file.present
    )
    mark = f'<p class="mark">{escape(_REHEARSAL)}</p>' if _is_marked(content) else ""
    title = escape(file.ceremony.title)
    return (
        f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{mark}<h1>{title}</h1><table>{heads}</table>"
        f"<h2>审核 Reviews</h2><table>{reviews}</table>"
        "<h2>步骤 Steps</h2><table><tr><th></th><th>步骤 Step</th><th>结果 Found</th><th>确认 Confirmed</th></tr>"
        f"{rows}</table>"
        f'<h2>签字 Signatures</h2><table class="sign">{hands}</table>{mark}</body></html>\n'
    )


def _html_step(step: Mapping[str, Any]) -> str:
    found = "<br>".join(f"{escape(name)}: <code>{escape(value)}</code>" for name, value in _values(step))
    return (
        f"<tr><td>{escape(str(step['number']))}</td><td>{escape(step['zh'])}<br>{escape(step['en'])}</td>"
        f"<td>{found}</td><td>{escape(step['confirmed_by'])}<br>{escape(step['confirmed_at'])}</td></tr>"
    )


def _is_marked(content: Mapping[str, Any]) -> bool:
    return bool(content["rehearsal"] or content["software"])


def _heads(content: Mapping[str, Any], file: Ceremony, data: bytes) -> Sequence[tuple[str, str]]:
    machines = [step for step in content["steps"] if step["kind"] == StepKind.MACHINE]
    return (
        ("编号 Number", str(content["id"])),
        ("目的 Purpose", file.ceremony.purpose),
        ("地点 Place", file.ceremony.place),
        ("开始 Begun", str(content["started_at"])),
        ("结束 Ended", str(content["finished_at"])),
        ("加密机 Machines", ", ".join(f"{m['subject']} ({m['actual'].get('serial', '')})" for m in machines)),
        ("仪式文件 SM3 of the file", str(content["file_sm3"])),
        ("记录 SM3 of the transcript", sm3(data).hex()),
    )


def _values(step: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(name, value) for name, value in sorted(step["actual"].items()) if name not in _OCTETS]


def _md(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>#|" else character for character in text)
