package hub

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// denials hands permission violations, which the server reports apart from the
// request that caused them, to the callers that wait for an answer on the same
// subject. Without it a refused request looks like a slow one.
type denials struct {
	mu      sync.Mutex
	waiting map[string][]chan error
}

// watch returns a channel that receives the violation of subject, and a
// function that ends the watch.
func (d *denials) watch(subject string) (<-chan error, func()) {
	ch := make(chan error, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == nil {
		d.waiting = make(map[string][]chan error)
	}
	d.waiting[subject] = append(d.waiting[subject], ch)
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		list := d.waiting[subject]
		for i := range list {
			if list[i] == ch {
				list = append(list[:i], list[i+1:]...)
				break
			}
		}
		if len(list) == 0 {
			delete(d.waiting, subject)
			return
		}
		d.waiting[subject] = list
	}
}

func (d *denials) report(subject string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ch := range d.waiting[subject] {
		select {
		case ch <- fmt.Errorf("%w: %s: %w", ErrForbidden, subject, err):
		default: // one violation is enough
		}
	}
}

// deniedSubject finds the subject in the server's words:
// Permissions Violation for Publish to "subject".
func deniedSubject(err error) (string, bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false
	}
	_, rest, ok := strings.Cut(err.Error(), `"`)
	if !ok {
		return "", false
	}
	subject, _, ok := strings.Cut(rest, `"`)
	return subject, ok
}
