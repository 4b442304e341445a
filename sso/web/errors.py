"""The one place where refusals become HTTP: JSON for applications, a page for people. Neither ever redirects."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from sso.core.errors import OAuthError, OAuthErrorCode
from trustcore.errors import InternalError, Kind, TrustError
from trustcore.web import problem
from trustcore.web.pages import Pages, language_of

__all__ = ["install", "message", "page", "status_of"]

_FOR_APPLICATIONS = ("/token", "/userinfo", "/jwks.json", "/.well-known/openid-configuration")

_CHINESE = {
    "sso.authorize.client-unknown": "把您带到这里的应用没有登记。",
    "sso.authorize.redirect-uri-missing": "应用没有说明登录后返回的地址。",
    "sso.authorize.redirect-uri-mismatch": "应用要求返回到一个它没有登记的地址，已拒绝。",
    "sso.logout.redirect-uri-mismatch": "应用要求返回到一个它没有登记的地址，已拒绝。",
    "sso.login.refused": "用户名或密码不正确。",
    "sso.login.throttled": "登录失败次数过多，请稍后再试。",
    "sso.login.busy": "当前登录的人数较多，请稍后再试。",
    "sso.login.password-change-required": "您使用的是一次性密码，请设置新密码。",
    "sso.login.one-time-password-expired": "一次性密码已过期，请联系管理员重新获取。",
    "sso.login.form-expired": "页面已失效，请重新填写。",
    "sso.password.too-short": "密码至少 12 个字符。",
    "sso.password.too-long": "密码至多 256 个字符。",
    "sso.password.guessable": "这个密码容易被猜到，请换一个。",
    "sso.password.unchanged": "新密码与一次性密码相同，请换一个。",
    "sso.password.repeated-differently": "两次输入的新密码不一致。",
    "sso.portal.login-unknown": "这次登录不是在此浏览器中开始的，请重新登录。",
    "sso.portal.login-refused": "登录未完成，请重新登录。",
    "database.unavailable": "系统暂时不可用，请稍后再试。",
}
_CHINESE_OTHERWISE = "请求无法处理。"


def message(error: TrustError, request: Request) -> str:
    """The sentence a person reads."""
    if language_of(request) == "zh":
        return _CHINESE.get(error.code, _CHINESE_OTHERWISE)
    return "The server could not do this." if error.kind is Kind.INTERNAL else error.detail


def status_of(error: TrustError) -> int:
    """HTTP status of an error page."""
    if error.code == "sso.login.throttled":
        return 429
    return 400 if error.kind is Kind.REJECTED else problem.STATUS[error.kind]


def page(error: TrustError, request: Request, pages: Pages) -> Response:
    """A page that says what was wrong."""
    heading = "无法继续" if language_of(request) == "zh" else "This cannot go on"
    context = {"heading": heading, "message": message(error, request)}
    return pages.render(request, "error.html", context, status=status_of(error))


def install(app: FastAPI, pages: Pages) -> None:
    """Answer every refusal of ``app``."""
    problem.install(app)

    def refuse(request: Request, refusal: Exception) -> Response:
        error = refusal if isinstance(refusal, TrustError) else InternalError("unexpected", code="sso.unexpected")
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        return _json(error) if path in _FOR_APPLICATIONS else page(error, request, pages)

    app.add_exception_handler(TrustError, refuse)


def _json(error: TrustError) -> JSONResponse:
    if error.kind is Kind.UNAUTHENTICATED:
        return _bearer_challenge(error)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    if isinstance(error, OAuthError):
        status, name, detail = 400, error.error, error.detail
        if error.error is OAuthErrorCode.INVALID_CLIENT:  # RFC 6749 §5.2
            status, headers["WWW-Authenticate"] = 401, 'Basic realm="xinyin"'
    elif error.kind is Kind.BUSY:
        status, name, detail = 503, OAuthErrorCode.TEMPORARILY_UNAVAILABLE, "The server cannot serve now; try again."
        headers["Retry-After"] = "5"
    else:
        status, name, detail = 500, OAuthErrorCode.SERVER_ERROR, "The server could not do this."
    return JSONResponse({"error": name, "error_description": detail}, status, headers)


def _bearer_challenge(error: TrustError) -> JSONResponse:
    """RFC 6750 §3: a request without credentials is told nothing but the scheme."""
    headers = {"Cache-Control": "no-store", "WWW-Authenticate": "Bearer"}
    if error.code == "auth.token.missing":
        return JSONResponse({}, 401, headers)
    headers["WWW-Authenticate"] = f'Bearer error="{OAuthErrorCode.INVALID_TOKEN}"'
    return JSONResponse({"error": OAuthErrorCode.INVALID_TOKEN, "error_description": error.detail}, 401, headers)
