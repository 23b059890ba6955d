"""Pages opened in a browser, and all that they asked for and said."""


class WatchedPages:
    """Opens pages, each in a context of its own; what they request and print is kept."""

    def __init__(self, browser):
        self._browser, self._contexts = browser, []
        self.requests, self.said = [], []

    def open(self, url, *, width, scheme):
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(dialog.message))
        page.goto(url)
        return page

    def close(self):
        for context in self._contexts:
            context.close()
