package dataplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"selaras.dev/selaras/internal/hub"
)

// issuedPrefix is where the hub keeps whose credentials are out: the operator
// cannot read them back from the Secrets it makes, and must know them to revoke
// them. No workload has a right to these keys.
const (
	issuedPrefix  = "issued."
	issuedChannel = issuedPrefix + "channel."
	issuedCatalog = issuedPrefix + "catalog"
)

// issued are the users whose credentials one workload holds, or may hold.
type issued struct {
	Users []string `json:"users"`
}

func issuedKey(w hub.Workload) string {
	if w.Kind == hub.Connector {
		return issuedChannel + w.Name
	}
	return issuedPrefix + string(w.Kind)
}

// Kept says what became of new credentials.
type Kept int

// What may become of new credentials.
const (
	KeptNot   Kept = iota // nobody has them
	KeptMaybe             // the attempt to store them has no known end
	KeptSure              // they are stored, and the only valid ones
)

// Issue makes hub credentials for a workload and hands them to store. As soon
// as they are kept, all that the workload was given before are revoked. The
// hub knows of a user before anybody can have its credentials.
func (p *Plane) Issue(ctx context.Context, namespace string, w hub.Workload, store func(credentials []byte) (Kept, error)) error {
	n, err := p.open(ctx, namespace)
	if err != nil {
		return err
	}
	n.issuing.Lock()
	defer n.issuing.Unlock()
	key := issuedKey(w)
	before, err := n.issuedTo(ctx, key)
	if err != nil {
		return err
	}
	credentials, err := p.authority.Credentials(namespace, w)
	if err != nil {
		return err
	}
	user, err := hub.UserOf(credentials)
	if err != nil {
		return err
	}
	if err := n.recordIssued(ctx, key, issued{append(slices.Clone(before.Users), user)}); err != nil {
		return err
	}
	kept, err := store(credentials)
	switch kept {
	case KeptNot:
		return errors.Join(err, n.recordIssued(ctx, key, before))
	case KeptSure:
		if len(before.Users) > 0 {
			if err := p.authority.Revoke(ctx, namespace, before.Users...); err != nil {
				return fmt.Errorf("revoking the former credentials of %s: %w", key, err)
			}
		}
		return n.recordIssued(ctx, key, issued{[]string{user}})
	}
	return err
}

// revoke makes what a workload was given worthless; key names it.
func (p *Plane) revoke(ctx context.Context, n *namespace, key string) error {
	n.issuing.Lock()
	defer n.issuing.Unlock()
	out, err := n.issuedTo(ctx, key)
	if err != nil || len(out.Users) == 0 {
		return err
	}
	if err := p.authority.Revoke(ctx, n.name, out.Users...); err != nil {
		return fmt.Errorf("revoking the credentials of %s: %w", key, err)
	}
	if err := n.opened().Delete(ctx, key); err != nil {
		return fmt.Errorf("forgetting the credentials of %s: %w", key, err)
	}
	n.mu.Lock()
	delete(n.issued, key)
	n.mu.Unlock()
	return nil
}

// issuedTo returns whose credentials a workload holds.
func (n *namespace) issuedTo(ctx context.Context, key string) (out issued, err error) {
	n.mu.Lock()
	out, ok := n.issued[key]
	n.mu.Unlock()
	if ok {
		return out, nil
	}
	entry, err := n.opened().Get(ctx, key)
	switch {
	case errors.Is(err, hub.ErrNotFound):
		return issued{}, nil
	case err != nil:
		return issued{}, fmt.Errorf("reading %s: %w", key, err)
	}
	if err := json.Unmarshal(entry.Data, &out); err != nil {
		return issued{}, fmt.Errorf("decoding %s: %w", key, err)
	}
	return out, nil
}

func (n *namespace) recordIssued(ctx context.Context, key string, out issued) error {
	data, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	if _, err := n.opened().Put(ctx, key, data); err != nil {
		return fmt.Errorf("recording %s: %w", key, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.issued[key] = out
	return nil
}
