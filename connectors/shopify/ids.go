package shopify

import (
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// The kinds of object whose ids the driver makes.
const (
	kindVariant   = "ProductVariant"
	kindProduct   = "Product"
	kindItem      = "InventoryItem"
	kindLocation  = "Location"
	kindPublished = "Publication"
)

// gid is the global id of an object.
func gid(kind, number string) string { return "gid://shopify/" + kind + "/" + number }

// number is the number in a global id, or of a text that is one already; empty
// where there is none.
func number(id string) string {
	id, _, _ = strings.Cut(id, "?")
	n := id[strings.LastIndexByte(id, '/')+1:]
	if n == "" || strings.Trim(n, "0123456789") != "" {
		return ""
	}
	return n
}

// A Ref is the number of a variant. Webhooks also name products and inventory
// items, with a letter in front.
const (
	refProduct = "p"
	refItem    = "i"
)

func variantRef(id string) driver.Ref { return driver.Ref(number(id)) }

// splitRef returns the letter and the number of a Ref; an empty number where it
// is none of this driver.
func splitRef(ref driver.Ref) (letter, n string) {
	text := string(ref)
	if strings.HasPrefix(text, refProduct) || strings.HasPrefix(text, refItem) {
		letter, text = text[:1], text[1:]
	}
	if strings.Trim(text, "0123456789") != "" {
		return letter, ""
	}
	return letter, text
}
