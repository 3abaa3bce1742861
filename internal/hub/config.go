package hub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Entry is one key of the configuration store with its value.
type Entry struct {
	Key  string
	Data []byte
	// Revision grows with every change of any key.
	Revision uint64
	// Deleted marks a key that is gone; it has no Data.
	Deleted bool
}

// Put sets a key and returns its revision. Errors: ErrHubFull, ErrTooLarge,
// ErrForbidden.
func (s *Space) Put(ctx context.Context, key string, data []byte) (uint64, error) {
	return s.write(ctx, key, data, nil)
}

// Update sets a key if its revision still is the given one, 0 for a key that
// was never set. Otherwise it fails with ErrConflict. When ctx ends the
// outcome is unknown.
func (s *Space) Update(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	return s.write(ctx, key, data, &revision)
}

// Delete removes a key. Removing what is not there is no error.
func (s *Space) Delete(ctx context.Context, key string) error {
	if err := validKey(key, false); err != nil {
		return err
	}
	return s.retry(ctx, "delete "+key, func(ctx context.Context) error {
		_, err := s.publish(ctx, &nats.Msg{Subject: s.l.key(key), Header: nats.Header{hdrKVOperation: {"DEL"}}})
		return err
	})
}

func (s *Space) write(ctx context.Context, key string, data []byte, revision *uint64) (rev uint64, err error) {
	if err := validKey(key, false); err != nil {
		return 0, err
	}
	unsure := false
	err = s.retry(ctx, "write "+key, func(ctx context.Context) (err error) {
		if revision == nil {
			rev, err = s.publish(ctx, &nats.Msg{Subject: s.l.key(key), Data: data})
			return err
		}
		rev, err = s.writeOnce(ctx, key, data, *revision)
		if errors.Is(err, ErrConflict) && unsure {
			// An attempt without an answer may have been the change.
			if e, gerr := s.get(ctx, key); gerr == nil && string(e.Data) == string(data) && e.Revision > *revision {
				rev = e.Revision
				return nil
			}
		}
		unsure = unsure || err != nil
		return err
	})
	return rev, err
}

// writeOnce sets a key at a revision, in a single attempt.
func (s *Space) writeOnce(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	m := &nats.Msg{Subject: s.l.key(key), Data: data, Header: nats.Header{hdrExpectedSeq: {strconv.FormatUint(revision, 10)}}}
	rev, err := s.publish(ctx, m)
	if isCode(err, codeWrongLastSequence) || isCode(err, codeWrongLastConstant) {
		return 0, fmt.Errorf("%w: %s is no longer at revision %d", ErrConflict, key, revision)
	}
	return rev, err
}

// Get returns a key's value, or ErrNotFound. It may be a moment old on a
// cluster; decide by Update, never by Get.
func (s *Space) Get(ctx context.Context, key string) (Entry, error) {
	if err := validKey(key, false); err != nil {
		return Entry{}, err
	}
	var e Entry
	err := s.retry(ctx, "read "+key, func(ctx context.Context) (err error) {
		e, err = s.get(ctx, key)
		return err
	})
	if err == nil && e.Deleted {
		return e, fmt.Errorf("cannot read %s: %w", key, ErrNotFound)
	}
	return e, err
}

// get returns a deleted entry as such, because its revision matters.
func (s *Space) get(ctx context.Context, key string) (Entry, error) {
	m, err := s.directGet(ctx, s.l.kv(), s.l.key(key))
	if err != nil {
		return Entry{}, err
	}
	return s.entryOf(&m), nil
}

func (s *Space) entryOf(m *message) Entry {
	e := Entry{Key: s.l.keyOf(m.subject), Data: m.data, Revision: m.seq}
	if m.header[hdrKVOperation] != nil {
		e.Deleted, e.Data = true, nil
	}
	return e
}

// Watch calls fn with the present value of every key that matches one of the
// patterns ("*" is one token, ">" the rest) and then with every change, in
// order per pattern and never two at a time, until ctx ends or fn fails; fn's
// error is returned as it is. Several changes of a key may be seen as the last,
// and after an interruption values may come again.
// Connectors may watch exactly what their permissions list (docs/hub.md).
func (s *Space) Watch(ctx context.Context, patterns []string, fn func(Entry) error) error {
	for _, p := range patterns {
		if err := validKey(p, true); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for _, p := range patterns {
		wg.Go(func() {
			// The store is small: after every interruption it is read from the
			// start, so that a restored store needs no case of its own.
			spec := consumeSpec{stream: s.l.kv(), filters: []string{s.l.key(p)}, purpose: "watch", rewind: true}
			err := s.consume(ctx, spec, func(batch []message, _ bool) error {
				mu.Lock()
				defer mu.Unlock()
				for i := range batch {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if err := fn(s.entryOf(&batch[i])); err != nil {
						return err
					}
				}
				return nil
			})
			once.Do(func() { first = err; cancel() })
		})
	}
	wg.Wait()
	return first
}

// List returns the present entries that match a pattern, which like Get may be
// a moment old on a cluster. It is for holders of rights on the whole store;
// connectors watch.
func (s *Space) List(ctx context.Context, pattern string) ([]Entry, error) {
	if err := validKey(pattern, true); err != nil {
		return nil, err
	}
	done := errors.New("all read")
	var entries []Entry
	spec := consumeSpec{stream: s.l.kv(), filters: []string{s.l.key(pattern)}, purpose: "watch"}
	err := s.consume(ctx, spec, func(batch []message, caught bool) error {
		for i := range batch {
			if e := s.entryOf(&batch[i]); !e.Deleted {
				entries = append(entries, e)
			}
		}
		if caught {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		return nil, fmt.Errorf("cannot list %s: %w", pattern, err)
	}
	return entries, nil
}

// directGet reads the last message of a subject from any replica.
func (s *Space) directGet(ctx context.Context, stream, subject string) (message, error) {
	r, err := s.request(ctx, &nats.Msg{Subject: apiPrefix + "DIRECT.GET." + stream + "." + subject})
	if err != nil {
		return message{}, err
	}
	switch status := r.Header.Get(hdrStatus); status {
	case "":
	case "404":
		return message{}, fmt.Errorf("%w: %s", ErrNotFound, subject)
	default:
		return message{}, fmt.Errorf("read %s: %w: %s %s", subject, errAttemptTimeout, status, r.Header.Get(hdrDescription))
	}
	seq, err := strconv.ParseUint(r.Header.Get(hdrSequence), 10, 64)
	if err != nil {
		return message{}, fmt.Errorf("read %s: the answer has no sequence: %w", subject, err)
	}
	at, err := time.Parse(time.RFC3339Nano, r.Header.Get(hdrTimestamp))
	if err != nil {
		return message{}, fmt.Errorf("read %s: the answer has no time: %w", subject, err)
	}
	return message{subject: subject, header: r.Header, data: r.Data, seq: seq, time: at}, nil
}

func validKey(key string, pattern bool) error {
	for token := range strings.SplitSeq(key, ".") {
		if pattern && (token == "*" || token == ">") {
			continue
		}
		if err := validName(token); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}
