package dataplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// PutChannelConfig hands a connector its configuration; nothing is sent when
// it is what was sent last.
func (p *Plane) PutChannelConfig(ctx context.Context, namespace, channel string, config workload.ChannelConfig) error {
	return p.put(ctx, namespace, workload.ConfigChannelPrefix+channel, config)
}

// PutSyncConfig hands the workloads of a namespace one sync.
func (p *Plane) PutSyncConfig(ctx context.Context, namespace string, config workload.SyncConfig) error {
	return p.put(ctx, namespace, workload.ConfigSyncPrefix+config.Name, config)
}

// HoldChannel puts a hold in force on a connector, or lifts it with nil, and
// leaves all else of its configuration as it is: an emergency stop reaches the
// connector of a Channel that is suspended or whose spec is wrong, too. One that
// was never configured writes nothing anyway.
func (p *Plane) HoldChannel(ctx context.Context, namespace, channel string, held *workload.Hold) error {
	return reconfigure(ctx, p, namespace, workload.ConfigChannelPrefix+channel, func(c *workload.ChannelConfig) { c.Hold = held })
}

// HoldSync is HoldChannel for a sync.
func (p *Plane) HoldSync(ctx context.Context, namespace, sync string, held *workload.Hold) error {
	return reconfigure(ctx, p, namespace, workload.ConfigSyncPrefix+sync, func(c *workload.SyncConfig) { c.Hold = held })
}

// reconfigure changes a configuration that was sent before.
func reconfigure[Config any](ctx context.Context, p *Plane, name, key string, change func(*Config)) error {
	n, err := p.open(ctx, name)
	if err != nil {
		return err
	}
	n.mu.Lock()
	data, ok := n.configs[key]
	n.mu.Unlock()
	if !ok {
		entry, err := n.opened().Get(ctx, key)
		switch {
		case errors.Is(err, hub.ErrNotFound), err == nil && entry.Deleted:
			return nil
		case err != nil:
			return fmt.Errorf("reading %s of namespace %s: %w", key, name, err)
		}
		data = string(entry.Data)
	}
	var config Config
	if err := json.Unmarshal([]byte(data), &config); err != nil {
		return fmt.Errorf("decoding %s of namespace %s: %w", key, name, err)
	}
	change(&config)
	return p.put(ctx, name, key, config)
}

func (p *Plane) put(ctx context.Context, name, key string, value any) error {
	n, err := p.open(ctx, name)
	if err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	n.mu.Lock()
	before, ok := n.configs[key]
	n.mu.Unlock()
	if ok && before == string(data) {
		return nil
	}
	if !ok {
		// After a restart of the operator: do not send again what is there.
		if entry, err := n.opened().Get(ctx, key); err == nil && !entry.Deleted && string(entry.Data) == string(data) {
			n.remember(key, string(data))
			return nil
		}
	}
	if _, err := n.opened().Put(ctx, key, data); err != nil {
		return fmt.Errorf("sending %s to namespace %s: %w", key, name, err)
	}
	n.remember(key, string(data))
	return nil
}

func (n *namespace) remember(key, data string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.configs[key] = data
}

// DeleteChannel takes back a Channel's configuration, report and credentials. Of
// a namespace that is not open they are taken back when it is.
func (p *Plane) DeleteChannel(ctx context.Context, namespace, channel string) error {
	p.resourceGone()
	if err := p.remove(ctx, namespace, workload.ConfigChannelPrefix+channel, workload.ReportChannelPrefix+channel); err != nil {
		return err
	}
	n := p.known(namespace)
	if n == nil || n.opened() == nil {
		return nil
	}
	return p.revoke(ctx, n, issuedKey(hub.Workload{Kind: hub.Connector, Name: channel}))
}

// DeleteSync takes back a CatalogSync's configuration.
func (p *Plane) DeleteSync(ctx context.Context, namespace, sync string) error {
	p.resourceGone()
	return p.remove(ctx, namespace, workload.ConfigSyncPrefix+sync)
}

func (p *Plane) remove(ctx context.Context, name string, keys ...string) error {
	if p.known(name) == nil {
		return nil
	}
	n, err := p.open(ctx, name)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := n.opened().Delete(ctx, key); err != nil {
			return fmt.Errorf("taking back %s from namespace %s: %w", key, name, err)
		}
		n.mu.Lock()
		delete(n.configs, key)
		n.mu.Unlock()
	}
	return nil
}
