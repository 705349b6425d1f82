"""Files that a visitor sends: what goes well, and what is said when it does not."""

from playwright.async_api import expect

from tests.widget.conftest import Chat


async def test_a_file_is_uploaded_then_sent(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.pick("a.pdf", "application/pdf", b"%PDF-1")
    sent = await chat.peer.until_heard("msg")
    assert chat.peer.uploads == ["a.pdf"]
    assert (sent[0]["type"], sent[0]["attachment_id"].endswith("-a.pdf")) == ("file", True)
    await expect(chat.page.locator(".own.sent .name")).to_have_text("a.pdf")


async def test_files_that_are_not_taken(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.pick("empty.txt", "text/plain", b"")
    await expect(chat.page.locator(".failed .meta")).to_contain_text("File not accepted")
    await chat.page.get_by_role("button", name="Remove").click()
    chat.peer.upload_status = 413
    await chat.pick("big.txt", "text/plain", b"x")
    await expect(chat.page.locator(".failed .meta")).to_contain_text("Larger than 20 MB")
    await chat.page.get_by_role("button", name="Remove").click()
    chat.peer.upload_status = 503
    await chat.pick("later.txt", "text/plain", b"x")
    await expect(chat.page.locator(".failed .meta")).to_contain_text("Not sent")
    chat.peer.upload_status = 201
    await chat.page.get_by_role("button", name="Try again").click()
    sent = await chat.peer.until_heard("msg")
    assert len(sent) == 1
