"""ST_Loc: links between the files of a package (GB/T 33190-2016 §7.1), resolved strictly.

Readers in the field repair backslashes, doubled slashes, wrong case and missing roots, each in its own way. What is
verified must mean one file only, so nothing is repaired here.
"""

from trustcore.errors import MalformedError

__all__ = ["absolute", "resolve"]


def resolve(location: str, *, holder: str, base: str = "") -> str:
    """The entry name that a location means.

    Args:
        location: the text of an ST_Loc: from the root of the package when it starts with ``/``, else relative.
        holder: entry name of the file in which the location stands.
        base: ``Res@BaseLoc``, itself an ST_Loc, for locations inside a resource file.

    Raises:
        MalformedError: ``ofd.loc.malformed`` for an empty location, a backslash, an empty part or a path that leaves
            the package.
    """
    if not base and _is_plain(location):
        return location[1:] if location[0] == "/" else holder[: holder.rfind("/") + 1] + location
    folder = holder.split("/")[:-1]
    if base:
        folder = _walk(base.removesuffix("/") or "/", folder)
    return "/".join(_walk(location, folder))


def absolute(name: str) -> str:
    """The location of an entry from the root of the package: ``/Doc_0/Document.xml``."""
    return f"/{name}"


def _is_plain(location: str) -> bool:
    """Whether there is nothing to walk: no backslash, and no part is empty or starts with a dot."""
    return (
        bool(location)
        and location[0] != "."
        and location[-1] != "/"
        and "//" not in location
        and "/." not in location
        and "\\" not in location
    )


def _walk(location: str, folder: list[str]) -> list[str]:
    if location.startswith("/"):
        parts, path = location[1:].split("/"), []
    else:
        parts, path = location.split("/"), list(folder)
    if location == "/":
        return []
    for part in parts:
        if not part or "\\" in part:
            raise _malformed(location)
        if part == "..":
            if not path:
                raise _malformed(location)
            path.pop()
        elif part != ".":
            path.append(part)
    return path


def _malformed(location: str) -> MalformedError:
    return MalformedError(
        f"The location {location!r} is not a plain path.", code="ofd.loc.malformed", location=location
    )
