"""Pages: Jinja with both languages side by side, one style sheet, no inline script or style.

A template writes each sentence once in each language, ``{{ t("有效", "Valid") }}``. The language is the reader's
choice in the address (``?lang=en``), else the one chosen before, else the browser's, else Chinese.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

__all__ = ["Language", "Pages", "language_of", "static_files"]

Language = Literal["zh", "en"]

_COOKIE = "xinyin_lang"
_COOKIE_SECONDS = 365 * 24 * 3600
_LOCALES = {"zh": "zh_CN", "en": "en_GB"}
_BEIJING = ZoneInfo("Asia/Shanghai")


def static_files() -> StaticFiles:
    """The product's style sheet, script and pictures, to be mounted at ``/static``."""
    return StaticFiles(directory=str(files("trustcore.web") / "static"))


def language_of(request: Request) -> Language:
    """The language in which the reader wants the page."""
    chosen = request.query_params.get("lang") or request.cookies.get(_COOKIE)
    if chosen in {"zh", "en"}:
        return "en" if chosen == "en" else "zh"
    wanted = [
        part.split(";")[0].strip().split("-")[0] for part in request.headers.get("accept-language", "").split(",")
    ]
    return "en" if negotiate_locale(wanted, ["zh", "en"]) == "en" else "zh"


def _moment(value: datetime, language: Language) -> str:
    """A time of day in China, with the zone named."""
    text = format_datetime(value.astimezone(_BEIJING), "yyyy-MM-dd HH:mm:ss", locale=_LOCALES[language])
    return f"{text} {'北京时间' if language == 'zh' else '(UTC+8)'}"


class Pages:
    """Renders the templates of some packages inside the product's frame.

    Args:
        packages: names of packages that have a ``templates`` folder, searched in order before the shared one.
    """

    def __init__(self, *packages: str) -> None:
        loaders = [PackageLoader(package) for package in (*packages, "trustcore.web")]
        self._environment = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(
        self,
        request: Request,
        template: str,
        context: Mapping[str, object] | None = None,
        *,
        status: int = 200,
        form_targets: Sequence[str] = (),
    ) -> HTMLResponse:
        """One page as a response that no cache keeps.

        Args:
            request: decides the language.
            template: file name in a ``templates`` folder.
            context: what the template speaks of.
            status: HTTP status.
            form_targets: origins besides our own to which a form may lead (CSP ``form-action``).
        """
        language = language_of(request)
        values: dict[str, object] = {
            "lang": language,
            "t": lambda zh, en: zh if language == "zh" else en,
            "moment": lambda value: _moment(value, language),
            "day": lambda value: format_date(value, "long", locale=_LOCALES[language]),
            "other_language": _other_language(request, language),
            "path": request.url.path,
            **(context or {}),
        }
        page = self._environment.get_template(template).render(values)
        response = HTMLResponse(page, status, _headers(form_targets))
        response.headers["Content-Language"] = _LOCALES[language].replace("_", "-")
        if request.query_params.get("lang") == language:
            secure = request.url.scheme == "https"
            response.set_cookie(
                _COOKIE, language, max_age=_COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure
            )
        return response


def _other_language(request: Request, language: Language) -> str:
    """Query of the same page in the other language."""
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return "?" + urlencode([*others, ("lang", "en" if language == "zh" else "zh")])


def _headers(form_targets: Sequence[str]) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "form-action": " ".join(("'self'", *form_targets)),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
