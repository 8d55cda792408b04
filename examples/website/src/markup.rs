//! Markdown to HTML in which nothing of the writer's is markup but what Markdown makes.

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// The HTML of a page's text.
///
/// HTML in it is shown as it was written. Links lead to `http`, `https`, `mailto` and within the site, and others
/// nowhere; pictures become links, since the pages load nothing from elsewhere.
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(markdown, options).map(|event| match event {
        // Shown, and not obeyed.
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type: plain(link_type),
            dest_url: safe(dest_url),
            title,
            id,
        }),
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type: plain(link_type),
            dest_url: safe(dest_url),
            title,
            id,
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    });
    let mut out = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut out, events);
    out
}

/// An address in angle brackets that looks like one of e-mail gets its scheme from the renderer, after the check.
fn plain(link_type: LinkType) -> LinkType {
    match link_type {
        LinkType::Email => LinkType::Email,
        _ => LinkType::Inline,
    }
}

/// The address, if following it can run nothing here.
fn safe(url: CowStr<'_>) -> CowStr<'_> {
    // Browsers leave out white space and control characters before they look for the scheme.
    let clean = url
        .chars()
        .filter(|sign| !sign.is_whitespace() && !sign.is_control());
    let clean = clean.collect::<String>().to_lowercase();
    let scheme_ends = clean.find(':');
    let path_begins = clean.find(['/', '?', '#']).unwrap_or(clean.len());
    match scheme_ends {
        Some(end) if end < path_begins && !matches!(&clean[..end], "http" | "https" | "mailto") => {
            CowStr::Borrowed("#")
        }
        _ => url,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every tag of the HTML, by its name and attributes.
    fn tags(html: &str) -> Vec<&str> {
        let after = html.split('<').skip(1);
        after
            .map(|tag| tag.split('>').next().unwrap_or(tag))
            .collect()
    }

    #[test]
    fn html_is_shown_and_not_obeyed() {
        let html =
            to_html("<script>alert(1)</script>\n\nhi <img src=x onerror=alert(1)> <b>there</b>");
        assert!(
            !html.contains("<script") && !html.contains("<img") && !html.contains("<b>"),
            "{html}"
        );
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn links_run_nothing() {
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            " javascript:x",
        ] {
            for markdown in [
                format!("[a](<{bad}>)"),
                format!("![a](<{bad}>)"),
                format!("[a]\n\n[a]: <{bad}>"),
                format!("<{bad}>"),
            ] {
                let html = to_html(&markdown);
                let leads = tags(&html)
                    .iter()
                    .any(|tag| tag.starts_with("a ") && !tag.contains("href=\"#\""));
                assert!(!leads, "{markdown:?}: {html}");
            }
        }
        for good in [
            "https://example.org/a:b",
            "/p/about",
            "about:us/x",
            "mailto:a@b.c",
        ] {
            let html = to_html(&format!("[a]({good})"));
            assert_eq!(
                html.contains(&format!("href=\"{good}\"")),
                good != "about:us/x",
                "{html}"
            );
        }
    }

    #[test]
    fn markdown_is_markdown() {
        let html = to_html("# Hi\n\n*a* and **b**\n\n- one\n- two\n\n|x|\n|-|\n|y|");
        for part in [
            "<h1>Hi</h1>",
            "<em>a</em>",
            "<strong>b</strong>",
            "<li>one</li>",
            "<td>y</td>",
        ] {
            assert!(html.contains(part), "{html}");
        }
    }

    proptest! {
        /// Whatever is written, the tags are Markdown's own.
        #[test]
        fn no_tag_is_the_writers(text in "[<>\"'a-z/=!()\\[\\]: \n`*_&;#-]{0,120}") {
            const OURS: &[&str] = &["p", "em", "strong", "a", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "code", "pre", "blockquote", "hr", "br", "del", "table", "thead", "tbody", "tr", "th", "td"];
            let html = to_html(&text);
            for tag in tags(&html) {
                let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
                prop_assert!(OURS.contains(&name), "{:?} in {}", tag, html);
                prop_assert!(!tag.contains(" on"), "{}", tag);
            }
        }
    }
}
