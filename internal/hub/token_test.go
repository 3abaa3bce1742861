package hub

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// A token gives back the normalised SKU, is one subject token of bounded
// length, and two spellings of one SKU share it.
func TestTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sku := rapid.String().Draw(t, "sku")
		n, err := NormalizeSKU(sku)
		token, terr := Token(sku)
		if (err == nil) != (terr == nil) {
			t.Fatalf("NormalizeSKU says %v, Token %v", err, terr)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalidToken) {
				t.Fatalf("%v is not ErrInvalidToken", err)
			}
			return
		}
		if len(token) > (MaxTokenBytes*8+4)/5 {
			t.Fatalf("token has %d bytes", len(token))
		}
		if strings.Trim(token, "0123456789abcdefghijklmnopqrstuv") != "" {
			t.Fatalf("token %q is not lower-case base32hex", token)
		}
		back, err := SKU(token)
		if err != nil || back != n {
			t.Fatalf("SKU(Token(%q)) = %q, %v; want %q", sku, back, err, n)
		}
		if again, err := NormalizeSKU(n); err != nil || again != n {
			t.Fatalf("NormalizeSKU is not stable: %q becomes %q, %v", n, again, err)
		}
		for _, spelling := range []string{norm.NFD.String(sku), " \t" + sku + "\n"} {
			if other, err := Token(spelling); err != nil || other != token {
				t.Fatalf("spelling %q has the token %q, %v; want %q", spelling, other, err, token)
			}
		}
		if s := Shard(sku); s < 0 || s >= Shards || s != Shard(n) {
			t.Fatalf("shard %d of %q, %d of %q", s, sku, Shard(n), n)
		}
	})
}

// What is too long, empty or no text is refused; the longest is not.
func TestTokenBounds(t *testing.T) {
	if _, err := Token(strings.Repeat("x", MaxTokenBytes)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "  ", strings.Repeat("x", MaxTokenBytes+1), "a\xff"} {
		if _, err := Token(bad); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("Token(%q) = %v", bad, err)
		}
	}
	for _, bad := range []string{"", "W", "vv", "0", strings.Repeat("0", 400)} {
		if sku, err := SKU(bad); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("SKU(%q) = %q, %v", bad, sku, err)
		}
	}
}

// The subjects are part of what is stored and never change.
func TestSubjectsAreFixed(t *testing.T) {
	for _, c := range []struct {
		make func() (Subject, error)
		want string
	}{
		{func() (Subject, error) { return ItemSubject("north", " L2201308 ") }, "cat.item.north.41.9gp34c1h6co3g"},
		{func() (Subject, error) { return LedgerSubject("north", "L2201308") }, "ledger.north.41.9gp34c1h6co3g"},
		{func() (Subject, error) { return LineSubject("south", "T_1/2") }, "line.south.ahfj2bpi"},
	} {
		s, err := c.make()
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != c.want {
			t.Errorf("subject is %q, want %q", s, c.want)
		}
	}
}

// A subject says what it was made of.
func TestSubjectRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		channel := name.Draw(t, "channel")
		text := rapid.StringN(1, 40, MaxTokenBytes).Draw(t, "text")
		want, err := NormalizeSKU(text)
		if err != nil {
			t.Skip(err)
		}
		for kind, makeSubject := range map[Kind]func(a, b string) (Subject, error){
			KindItem: ItemSubject, KindLedger: LedgerSubject, KindLine: LineSubject,
		} {
			s, err := makeSubject(channel, text)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := ParseSubject(s.String()); err != nil || back != s {
				t.Fatalf("ParseSubject(%q) = %v, %v", s, back, err)
			}
			read, owner := s.SKU, s.Source()
			if kind == KindLine {
				read, owner = s.Line, s.Channel()
			}
			if got, err := read(); s.Kind() != kind || owner != channel || err != nil || got != want {
				t.Fatalf("%q is a %v of %q %q, %v; want a %v of %q %q", s, s.Kind(), owner, got, err, kind, channel, want)
			}
		}
	})
}

func TestNamesThatAreNoTokens(t *testing.T) {
	for _, bad := range []string{"", "a.b", "*", ">", "_ingest", "-a", "a-", "A", "ä", strings.Repeat("a", 64)} {
		if _, err := ItemSubject(bad, "x"); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("ItemSubject(%q) = %v", bad, err)
		}
		if err := connector(bad).validate(); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("a connector named %q: %v", bad, err)
		}
	}
}
