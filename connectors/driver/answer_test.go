package driver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"3": 3 * time.Second, " 3 ": 3 * time.Second, "-1": 0, "": 0, "soon": 0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestMessagesAreBoundedAndStayText(t *testing.T) {
	t.Parallel()
	for _, message := range []string{strings.Repeat("x", 2000), strings.Repeat("試", 700), "\xff\xfe", "short"} {
		got := ClipMessage(message)
		if len(got) > MaxMessage || !utf8.ValidString(got) {
			t.Errorf("clip of %d bytes: %d bytes, valid %v", len(message), len(got), utf8.ValidString(got))
		}
	}
}

func TestAnErrorOfACallBecomesTheOutcomeOfItsItems(t *testing.T) {
	t.Parallel()
	for class, want := range map[Class]OutcomeKind{
		ClassThrottled: Throttled, ClassUnknown: Unknown, ClassBatchRejected: Rejected,
		ClassInvalid: Failed, ClassUnauthorized: Failed, ClassTransient: Failed, ClassTLS: Failed,
	} {
		err := fmt.Errorf("wrapped: %w", &Error{Class: class, Reason: "Why", Message: "because", RetryAfter: time.Second})
		if got := OutcomeOf(err); got.Kind != want || got.Reason != "Why" || got.Message != "because" || got.RetryAfter != time.Second {
			t.Errorf("%s: %+v, want %s", class, got, want)
		}
	}
	if got := OutcomeOf(errors.New("any")); got.Kind != Failed {
		t.Errorf("an error of no class: %+v, want Failed", got)
	}
}

func TestCursorsAreReadBackAndForeignOnesRefused(t *testing.T) {
	t.Parallel()
	type position struct{ At int }
	var got position
	if err := DecodeCursor("read", EncodeCursor(position{7}), &got); err != nil || got.At != 7 {
		t.Errorf("got %+v, %v; want 7", got, err)
	}
	if err := DecodeCursor("read", "", &got); err != nil || got.At != 7 {
		t.Errorf("the empty cursor: %+v, %v; want it untouched", got, err)
	}
	for _, foreign := range []Cursor{"%", "bm8ganNvbg", EncodeCursor("text")} {
		if err := DecodeCursor("read", foreign, &got); ClassOf(err) != ClassInvalid {
			t.Errorf("%q: %v, want Invalid", foreign, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	client := &http.Client{Timeout: time.Second}
	own := WithoutRedirects(client)
	if err := own.CheckRedirect(nil, nil); !errors.Is(err, http.ErrUseLastResponse) || own.Timeout != client.Timeout || client.CheckRedirect != nil {
		t.Errorf("got %v, want the last response and the client untouched", err)
	}
}
