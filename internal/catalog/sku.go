package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxSKUBytes bounds a SKU and the id of an order line, in bytes of UTF-8
// after normalisation. It is what the hub's subjects can carry.
const MaxSKUBytes = 128

// NormalizeSKU returns NFC(trim(sku)), the form under which a SKU is the same
// on every channel, and whether it can be one: not empty, valid UTF-8, no
// control characters, at most MaxSKUBytes.
func NormalizeSKU(sku string) (string, bool) {
	plain := len(sku) > 0 && len(sku) <= MaxSKUBytes
	for i := 0; plain && i < len(sku); i++ {
		plain = sku[i] > ' ' && sku[i] < 0x7f
	}
	if plain {
		return sku, true
	}
	if !utf8.ValidString(sku) {
		return "", false
	}
	sku = strings.TrimSpace(norm.NFC.String(strings.TrimSpace(sku)))
	if sku == "" || len(sku) > MaxSKUBytes || strings.IndexFunc(sku, unicode.IsControl) >= 0 {
		return "", false
	}
	return sku, true
}
