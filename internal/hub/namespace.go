package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DefaultMaxBytes bounds a namespace for which nothing else was said.
const DefaultMaxBytes = 1 << 30

// Limits bound what a namespace stores.
type Limits struct {
	// MaxBytes of everything in the namespace, in one replica; 0 is
	// DefaultMaxBytes. Facts get 80% of it, configuration at most 64 MiB, the
	// records the rest. A server reserves it, and refuses with ErrHubFull what
	// it does not have.
	MaxBytes int64
	// Replicas of every stream: 1 on a single server, 3 on a cluster; 0 is 1.
	Replicas int
}

const (
	minMaxBytes    = 1 << 20
	maxConfigBytes = 64 << 20
)

// EnsureNamespace makes a namespace ready: its account with the storage limits
// (Accounts), its streams, its key-value store and the first cursor. It changes
// what differs from the limits and leaves the rest alone, so it may be called
// at any time; nothing stored is ever deleted by it.
func (a *Authority) EnsureNamespace(ctx context.Context, namespace string, lim Limits) error {
	if err := validName(namespace); err != nil {
		return fmt.Errorf("namespace of the hub: %w", err)
	}
	lim.Replicas = max(1, lim.Replicas)
	if lim.MaxBytes == 0 {
		lim.MaxBytes = DefaultMaxBytes
	}
	if lim.MaxBytes < minMaxBytes {
		return fmt.Errorf("limits of %s: %d bytes are too few, at least %d are needed", namespace, lim.MaxBytes, minMaxBytes)
	}
	if a.isolation == Accounts {
		if err := a.lowerStreams(ctx, namespace, lim); err != nil {
			return err
		}
		if err := a.pushLimits(ctx, namespace, accountLimits(lim), false); err != nil {
			return err
		}
	}
	s, err := a.Space(ctx, namespace)
	if err != nil {
		return err
	}
	if err := a.waitStorage(ctx, s, lim); err != nil {
		return err
	}
	if err := a.raiseStreams(ctx, s, lim); err != nil {
		return err
	}
	return s.ensureCursor(ctx)
}

// raiseStreams gives the streams what the account may have. A server that had
// no room when the account was raised keeps its old limits and says nothing
// until it is told of the account again.
func (a *Authority) raiseStreams(ctx context.Context, s *Space, lim Limits) error {
	err := s.ensureStreams(ctx, lim)
	if !errors.Is(err, ErrHubFull) || a.isolation != Accounts {
		return err
	}
	if err := a.pushLimits(ctx, s.namespace, accountLimits(lim), true); err != nil {
		return err
	}
	return s.ensureStreams(ctx, lim)
}

// lowerStreams lowers the streams' limits before the account's, where both go
// down: a server refuses to change a stream while the others, as they still
// are, reserve more than the account may.
func (a *Authority) lowerStreams(ctx context.Context, namespace string, lim Limits) error {
	have, err := a.lookupAccount(ctx, namespace)
	if err != nil || have == nil || have.Limits.DiskStorage <= accountLimits(lim).DiskStorage {
		return err
	}
	s, err := a.Space(ctx, namespace)
	if err != nil {
		return err
	}
	return s.ensureStreams(ctx, lim)
}

// streams returns the settings of a namespace's streams. Every stream has a
// limit of its own and refuses what is beyond, because that is the only limit
// the server checks for a batch as a whole: where the account's or the disk's
// is reached first, a single server stores a batch in part.
func (l layout) streams(lim Limits) []jetstream.StreamConfig {
	facts := lim.MaxBytes / 5 * 4
	config := min((lim.MaxBytes-facts)/10, maxConfigBytes)
	records := lim.MaxBytes - facts - config
	return []jetstream.StreamConfig{
		{
			Name: l.facts, Subjects: []string{l.prefix + "facts.>"},
			Description: "Selaras: what happened, in the order it arrived",
			Retention:   jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: facts,
			Storage: jetstream.FileStorage, Replicas: lim.Replicas, AllowAtomicPublish: true,
		},
		{
			Name: l.cat, Subjects: []string{l.prefix + "cat.>", l.prefix + "ledger.>", l.prefix + "line.>"},
			Description: "Selaras: items, ledgers, order lines and the fold cursor",
			Retention:   jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: records, MaxMsgsPerSubject: 1,
			Storage: jetstream.FileStorage, Replicas: lim.Replicas, AllowAtomicPublish: true, AllowDirect: true,
			AllowMsgTTL: true, // what says that a line is gone goes itself
		},
		{
			// The settings of a key-value bucket with history 1, so that the
			// server's own tools can read it.
			Name: l.kv(), Subjects: []string{l.key(">")},
			Description: "Selaras: configuration, reports and leases",
			Retention:   jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: config, MaxMsgsPerSubject: 1,
			Storage: jetstream.FileStorage, Replicas: lim.Replicas, AllowRollup: true, DenyDelete: true, AllowDirect: true,
		},
	}
}

func (s *Space) ensureStreams(ctx context.Context, lim Limits) error {
	for _, cfg := range s.l.streams(lim) {
		if err := s.ensureStream(ctx, cfg); err != nil {
			return err
		}
	}
	return nil
}

func (s *Space) ensureStream(ctx context.Context, want jetstream.StreamConfig) error {
	return s.retry(ctx, "set up the stream "+want.Name, func(ctx context.Context) error {
		var info jetstream.StreamInfo
		err := s.call(ctx, "STREAM.INFO."+want.Name, nil, &info)
		if isCode(err, codeStreamNotFound) {
			return s.call(ctx, "STREAM.CREATE."+want.Name, want, nil)
		}
		if err != nil {
			return err
		}
		have := info.Config
		if have.MaxBytes == want.MaxBytes && have.Replicas == want.Replicas && have.Discard == want.Discard &&
			have.Description == want.Description && have.AllowMsgTTL == want.AllowMsgTTL && slices.Equal(have.Subjects, want.Subjects) {
			return nil
		}
		// Only what is ours is changed; an administrator's placement, say, stays.
		have.MaxBytes, have.Replicas, have.Discard = want.MaxBytes, want.Replicas, want.Discard
		have.Description, have.Subjects, have.AllowMsgTTL = want.Description, want.Subjects, want.AllowMsgTTL
		return s.call(ctx, "STREAM.UPDATE."+want.Name, have, nil)
	})
}

// ensureCursor stores the first cursor, from which connectors learn the life of
// the record stream.
func (s *Space) ensureCursor(ctx context.Context) error {
	return s.retry(ctx, "store the first cursor", func(ctx context.Context) error {
		cur, _, err := s.leaderCursor(ctx)
		if err != nil || cur.Seq != 0 {
			return err
		}
		facts, err := s.streamState(ctx, s.l.facts)
		if err != nil {
			return err
		}
		s.forgetEpoch()
		epoch, err := s.recordsEpoch(ctx)
		if err != nil {
			return err
		}
		data, err := json.Marshal(Cursor{Epoch: facts.Epoch, StateEpoch: epoch})
		if err != nil {
			return fmt.Errorf("encode the cursor: %w", err)
		}
		_, err = s.publish(ctx, &nats.Msg{
			Subject: s.l.prefix + cursorSubject, Data: data, Header: nats.Header{hdrExpectedSeq: {"0"}},
		})
		if isCode(err, codeWrongLastSequence) || isCode(err, codeWrongLastConstant) {
			return nil // a fold was faster
		}
		return err
	})
}
