"""How the terminal API says no: one shape for every error, a sentence for people, a word for machines."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is not 200. ``code`` is stable; ``message`` is what a till may show."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        retry: bool = False,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry = retry
        self.more = more or {}

    def to_json(self) -> dict[str, Any]:
        """The body. ``money_moved`` is null where only asking again with the same key can tell."""
        return {
            "error": self.code,
            "message": self.message,
            "field": self.field,
            "money_moved": None if self.status == 503 else False,
            "retry": self.retry,
            **self.more,
        }


def unauthorized() -> ApiError:
    """One answer for every doubt about who asks: unknown, wrong MAC, old keys, wrong clock."""
    return ApiError(401, "unauthorized", "终端身份未通过验证，请核对终端时间或重新注册")


def replayed(last_boot: int) -> ApiError:
    """This request was heard before; a genuine terminal signs anew with a higher number."""
    return ApiError(401, "replay", "请求已处理过，请重新签名", retry=True, more={"last_boot": last_boot})


def revoked() -> ApiError:
    """The terminal was shut out."""
    return ApiError(403, "revoked", "本终端已注销，请联系校园智能卡管理中心")


def cloned() -> ApiError:
    """Two machines speak as this terminal."""
    return ApiError(403, "cloned", "本终端的密钥出现在两台设备上，已停用，请联系校园智能卡管理中心重新注册")


def no_contract() -> ApiError:
    """The merchant's contract has not begun or is over (R034): no sale, but everything that sales of before need."""
    return ApiError(403, "no_contract", "商户合同未生效或已到期，不能收款，请联系校园智能卡管理中心")


def not_allowed() -> ApiError:
    """This kind of terminal may not ask this."""
    return ApiError(403, "not_allowed", "本类终端不提供此功能")


def unavailable() -> ApiError:
    """The book cannot answer now. Asking again with the same key is safe."""
    return ApiError(503, "unavailable", "系统繁忙，请稍后重试", retry=True)


def malformed(field: str, problem: str) -> ApiError:
    """The message does not have its shape."""
    return ApiError(400, "malformed", f"{field}：{problem}", field=field)
