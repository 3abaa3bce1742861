package hub

import (
	"encoding/base32"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxTokenBytes bounds a SKU or an order line after normalisation, in
	// bytes of UTF-8. The token itself is 8/5 of it.
	MaxTokenBytes = 128
	// Shards is the fixed number of shards of a source's items. It is part of
	// the subjects and never changes.
	Shards = 64
)

// base32hex keeps the byte order of what it encodes; NATS subjects are case
// sensitive, so lower case only.
var tokenEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NormalizeSKU returns NFC(trim(sku)): the form under which a SKU is one and
// the same on every channel. It fails with ErrInvalidToken when nothing is
// left, the text is not UTF-8, or it is longer than MaxTokenBytes.
func NormalizeSKU(sku string) (string, error) {
	if !utf8.ValidString(sku) {
		return "", fmt.Errorf("%w: %q is not UTF-8", ErrInvalidToken, sku)
	}
	// Normalisation may uncover nothing to trim, but trimming first keeps the
	// common case free of a second pass.
	n := strings.TrimSpace(norm.NFC.String(strings.TrimSpace(sku)))
	switch {
	case n == "":
		return "", fmt.Errorf("%w: it is empty", ErrInvalidToken)
	case len(n) > MaxTokenBytes:
		return "", fmt.Errorf("%w: %d bytes, at most %d are possible", ErrInvalidToken, len(n), MaxTokenBytes)
	}
	return n, nil
}

// Token encodes a SKU or an order line as one subject token: lower-case
// base32hex without padding of NormalizeSKU. Errors are ErrInvalidToken.
func Token(sku string) (string, error) {
	n, err := NormalizeSKU(sku)
	if err != nil {
		return "", err
	}
	return tokenEncoding.EncodeToString([]byte(n)), nil
}

// SKU decodes what Token made. It returns the normalised SKU; a token that
// Token would not have made is ErrInvalidToken.
func SKU(token string) (string, error) {
	b, err := tokenEncoding.DecodeString(token)
	if err != nil {
		return "", fmt.Errorf("%w: %q is not base32hex: %w", ErrInvalidToken, token, err)
	}
	sku := string(b)
	n, err := NormalizeSKU(sku)
	if err != nil {
		return "", err
	}
	if n != sku || tokenEncoding.EncodeToString(b) != token {
		return "", fmt.Errorf("%w: %q is not canonical", ErrInvalidToken, token)
	}
	return sku, nil
}

// Shard returns the shard of a SKU, 0 to Shards-1: FNV-1a (32 bit) of the
// normalised SKU modulo Shards. A SKU that cannot be normalised is hashed as is.
func Shard(sku string) int {
	if n, err := NormalizeSKU(sku); err == nil {
		sku = n
	}
	return shardOf(sku)
}

func shardOf(normalized string) int {
	h := uint32(2166136261)
	for i := 0; i < len(normalized); i++ {
		h ^= uint32(normalized[i])
		h *= 16777619
	}
	return int(h % Shards)
}

// validName checks a namespace or channel name: a DNS label, so that it is one
// subject token and can never equal a reserved token, which starts with "_".
func validName(name string) error {
	if name == "" || len(name) > 63 {
		return fmt.Errorf("%w: name %q must have 1 to 63 characters", ErrInvalidToken, name)
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (c != '-' || i == 0 || i == len(name)-1) {
			return fmt.Errorf("%w: name %q must be a DNS label (a-z, 0-9, -)", ErrInvalidToken, name)
		}
	}
	return nil
}
