package vendure

import (
	"encoding/hex"
	"hash/fnv"
	"strings"
)

// translation is a name in the content's language.
func (s *shop) translation(name string) []any {
	return []any{map[string]any{"languageCode": s.language, "name": name}}
}

// code makes a code of a name: its letters and digits, and a hash where that
// leaves something out, so that different names have different codes.
func code(name string) string {
	var b strings.Builder
	lossy := false
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == ' ', r == '-':
			b.WriteByte('-')
		default:
			lossy = true
		}
	}
	text := strings.Trim(b.String(), "-")
	if !lossy && text != "" {
		return text
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name))
	return strings.TrimPrefix(text+"-"+hex.EncodeToString(sum.Sum(nil)), "-")
}

// groupCode is the code of a product's option group: the name of its own under
// which an interrupted creation finds it again.
func groupCode(productKey, name string) string { return productKey + "-" + code(name) }
