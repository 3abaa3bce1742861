package woocommerce

import (
	"html"
	"regexp"
	"strings"
)

var (
	tags    = regexp.MustCompile(`<[/!a-zA-Z][^>]*>`)
	scripts = regexp.MustCompile(`(?is)<(script|style|iframe)[^>]*>.*?</(script|style|iframe)>|</?(script|style|iframe)[^>]*>`)
	entity  = regexp.MustCompile(`&(#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);`)
	octets  = regexp.MustCompile(`%[a-fA-F0-9]{2}`)
	open    = regexp.MustCompile(`<[^>]*$`)
	spaces  = regexp.MustCompile(`[\r\n\t ]+`)
	notSlug = regexp.MustCompile(`[^a-z0-9_-]+`)
	dashes  = regexp.MustCompile(`-+`)
)

// kses is wp_filter_post_kses in outline: backslashes are taken for quoting,
// what is no HTML is written as it, and scripts are taken out.
func kses(text string) string {
	text = scripts.ReplaceAllString(unslash(text), "")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '&' && entity.FindStringIndex(text[i:]) != nil && entity.FindStringIndex(text[i:])[0] == 0:
			b.WriteByte(c)
		case c == '&':
			b.WriteString("&amp;")
		case c == '<' && (tags.FindStringIndex(text[i:]) == nil || tags.FindStringIndex(text[i:])[0] != 0):
			b.WriteString("&lt;")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unslash is PHP's stripslashes.
func unslash(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			if i++; i == len(text) {
				break
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// clean is sanitize_text_field: what is left of a text for a single line.
func clean(text string) string {
	if strings.Contains(text, "<") {
		if at := open.FindStringIndex(text); at != nil {
			text = text[:at[0]] + html.EscapeString(text[at[0]:])
		}
		text = tags.ReplaceAllString(text, "")
	}
	text = strings.TrimSpace(spaces.ReplaceAllString(text, " "))
	for octets.MatchString(text) {
		text = octets.ReplaceAllString(text, "")
	}
	return text
}

// slugOf is sanitize_title for names in the Latin alphabet.
func slugOf(name string) string {
	slug := notSlug.ReplaceAllString(strings.ToLower(html.UnescapeString(name)), "-")
	if slug = strings.Trim(dashes.ReplaceAllString(slug, "-"), "-"); slug == "" {
		return "product"
	}
	return slug
}

// attributeKey is what an attribute's name is found by.
func attributeKey(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(html.UnescapeString(name)), "-"))
}

// decimal is wc_format_decimal: what is no part of a number is left out.
func decimal(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return -1
	}, text)
}
