package connector

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// configuration is what the operator has told, as far as it came.
type configuration struct {
	channel *workload.ChannelConfig
	syncs   map[string]*workload.SyncConfig
	// revisions are of the entries that the channel runs by.
	revisions map[string]uint64
}

// revision is the newest of the entries.
func (c *configuration) revision() uint64 {
	newest := uint64(0)
	for _, r := range c.revisions {
		newest = max(newest, r)
	}
	return newest
}

// settleConfig is how long the configuration must be quiet before it is
// applied: entries come one by one, and half of them is none.
const settleConfig = 50 * time.Millisecond

// follow watches the configuration and hands every quiet state of it to apply,
// one at a time, until ctx ends. apply is called again at the time it returns.
func follow(ctx context.Context, space *hub.Space, channel string, log *slog.Logger, now func() time.Time, apply func(context.Context, *configuration) (time.Time, error)) error {
	entries := make(chan hub.Entry)
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		patterns := []string{workload.ConfigChannelPrefix + channel, workload.ConfigSyncPrefix + "*"}
		failed <- space.Watch(ctx, patterns, func(e hub.Entry) error {
			select {
			case entries <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() { cancel(); <-watching }()
	c := &configuration{syncs: make(map[string]*workload.SyncConfig), revisions: make(map[string]uint64)}
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	for {
		select {
		case e := <-entries:
			if c.take(e, channel, log) {
				quiet.Reset(settleConfig)
			}
		case <-quiet.C:
			quiet.Reset(time.Hour)
			if c.channel == nil {
				continue
			}
			again, err := apply(ctx, c)
			if err != nil {
				return err
			}
			if !again.IsZero() {
				quiet.Reset(max(settleConfig, again.Sub(now())))
			}
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// take applies one entry and reports whether it concerns the channel.
func (c *configuration) take(e hub.Entry, channel string, log *slog.Logger) bool {
	if c.revisions[e.Key] >= e.Revision && e.Revision != 0 && !e.Deleted {
		return false // an interrupted watch tells everything again
	}
	if name, ok := strings.CutPrefix(e.Key, workload.ConfigSyncPrefix); ok {
		before := c.syncs[name]
		var s workload.SyncConfig
		switch {
		case e.Deleted:
			delete(c.syncs, name)
			delete(c.revisions, e.Key)
			return before != nil
		case !decodeEntry(e, &s, log):
			return false
		}
		if s.Name == "" {
			s.Name = name
		}
		_, target := s.Channels[channel]
		if !target && s.Source != channel {
			delete(c.syncs, name)
			delete(c.revisions, e.Key)
			return before != nil
		}
		c.syncs[name], c.revisions[e.Key] = &s, e.Revision
		return true
	}
	var config workload.ChannelConfig
	if e.Deleted || !decodeEntry(e, &config, log) {
		return false // without configuration it runs on by the last
	}
	c.channel, c.revisions[e.Key] = &config, e.Revision
	return true
}

func decodeEntry(e hub.Entry, into any, log *slog.Logger) bool {
	if err := json.Unmarshal(e.Data, into); err != nil {
		log.Error("the configuration in the hub cannot be read", "key", e.Key, "error", err)
		return false
	}
	return true
}
