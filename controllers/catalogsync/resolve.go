package catalogsync

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/controllers/faults"
)

// problem is a reason and a message for a person.
type problem = faults.Fault

// resolution is a CatalogSync with its references followed.
type resolution struct {
	sync *selarasv1alpha1.CatalogSync
	// problem needs a new spec, or a change of another resource's spec.
	problem *problem
	// source is nil while the source Channel does not exist.
	source *selarasv1alpha1.Channel
	// targets are the Channels to write to, by name, without the source.
	targets []*selarasv1alpha1.Channel
	// missing are Channels named in the spec that do not exist.
	missing []string
	// groups are the field groups this sync keeps.
	groups []string
}

// members are the source, if its stock is kept, and the targets: the channels
// whose listings this sync writes.
func (r *resolution) members() []*selarasv1alpha1.Channel {
	members := slices.Clone(r.targets)
	if r.source != nil && slices.Contains(r.groups, groupStock) {
		members = append(members, r.source)
	}
	sort.Slice(members, func(i, j int) bool { return members[i].Name < members[j].Name })
	return members
}

// groupsOf are the groups written on a channel: on the source only the stock,
// which the ledger owns once it was read (DESIGN §5.3).
func (r *resolution) groupsOf(channel *selarasv1alpha1.Channel) []string {
	if r.source != nil && channel.UID == r.source.UID {
		return []string{groupStock}
	}
	return r.groups
}

// resolve follows the references of one sync; it is pure. valid says whether a
// spec holds by itself, elders are the older syncs of the namespace, oldest
// first.
func resolve(sync *selarasv1alpha1.CatalogSync, channels []*selarasv1alpha1.Channel, elders []*selarasv1alpha1.CatalogSync, valid func(*selarasv1alpha1.CatalogSync) *problem) *resolution {
	r := follow(sync, channels)
	if r.problem = valid(sync); r.problem != nil {
		return r
	}
	if r.problem = selfReference(r); r.problem != nil {
		return r
	}
	if r.problem = missingCapability(r); r.problem != nil {
		return r
	}
	r.problem = conflict(r, channels, elders, valid)
	return r
}

// follow finds the source and the targets by reference and selector.
func follow(sync *selarasv1alpha1.CatalogSync, channels []*selarasv1alpha1.Channel) *resolution {
	r := &resolution{sync: sync, groups: groupsKept(sync)}
	byName := make(map[string]*selarasv1alpha1.Channel, len(channels))
	for _, channel := range channels {
		byName[channel.Name] = channel
	}
	r.source = byName[sync.Spec.Source.Channel]

	chosen := map[string]bool{}
	for _, name := range sync.Spec.Channels.Names {
		if byName[name] == nil {
			r.missing = append(r.missing, name)
			continue
		}
		chosen[name] = true
	}
	if sync.Spec.Channels.Selector != nil {
		// The API server has checked the shape; an operator it does not know
		// is reported by the validator.
		if selector, err := metav1.LabelSelectorAsSelector(sync.Spec.Channels.Selector); err == nil {
			for _, channel := range channels {
				if selector.Matches(labels.Set(channel.Labels)) {
					chosen[channel.Name] = true
				}
			}
		}
	}
	// The selector may well match the source too, by this or another name: it
	// is not its own target.
	for _, channel := range channels {
		named := slices.Contains(sync.Spec.Channels.Names, channel.Name)
		if chosen[channel.Name] && (named || channel.Name != sync.Spec.Source.Channel && !sameShop(r.source, channel)) {
			r.targets = append(r.targets, channel)
		}
	}
	sort.Slice(r.targets, func(i, j int) bool { return r.targets[i].Name < r.targets[j].Name })
	return r
}

// selfReference refuses a source that is its own target: by name, or because
// both Channels lead to one account.
func selfReference(r *resolution) *problem {
	for i, name := range r.sync.Spec.Channels.Names {
		if name == r.sync.Spec.Source.Channel {
			return faults.New(selarasv1alpha1.ReasonSameAccount, fmt.Sprintf(
				"spec.channels.names[%d]: %q is the source: a channel cannot be kept the same as itself; remove it from the names", i, name))
		}
		for _, channel := range r.targets {
			if channel.Name == name && sameShop(r.source, channel) {
				return faults.New(selarasv1alpha1.ReasonSameAccount, fmt.Sprintf(
					"spec.channels.names[%d]: Channel %s sells the same account as source %s: a shop cannot be kept the same as itself; remove it from the names, or give it another endpoint or account", i, name, r.source.Name))
			}
		}
	}
	return nil
}

// sameShop says whether two Channels lead to one account, as far as is known.
func sameShop(a, b *selarasv1alpha1.Channel) bool {
	return a != nil && a.Status.AccountID != "" && a.Spec.Type == b.Spec.Type && a.Status.AccountID == b.Status.AccountID
}

// missingCapability refuses what a channel's capabilities do not allow. A
// channel that has not reported yet is not judged.
func missingCapability(r *resolution) *problem {
	lacks := func(channel *selarasv1alpha1.Channel, needed driver.Capability) bool {
		have := channel.Status.Capabilities
		return len(have) > 0 && !slices.Contains(have, string(needed))
	}
	refuse := func(channel *selarasv1alpha1.Channel, field string, needed driver.Capability) *problem {
		return faults.New(selarasv1alpha1.ReasonCapabilityMissing, fmt.Sprintf(
			"%s: Channel %s (type %s) cannot do %s; take it out of this CatalogSync or remove the field group", field, channel.Name, channel.Spec.Type, needed))
	}
	if r.source != nil && lacks(r.source, driver.CanReadListings) {
		return refuse(r.source, "spec.source.channel", driver.CanReadListings)
	}
	for _, channel := range r.members() {
		for _, needed := range []driver.Capability{driver.CanReadListings, driver.CanGetListings} {
			if lacks(channel, needed) {
				return refuse(channel, "spec.channels", needed)
			}
		}
		for _, group := range r.groupsOf(channel) {
			if lacks(channel, writes[group]) {
				return refuse(channel, "spec.fields."+group, writes[group])
			}
		}
		if slices.Contains(r.groups, groupStock) && lacks(channel, driver.CanReadOrders) {
			return refuse(channel, "spec.fields.stock", driver.CanReadOrders)
		}
	}
	return nil
}

// conflict refuses a field group of a channel that an older sync keeps.
func conflict(r *resolution, channels []*selarasv1alpha1.Channel, elders []*selarasv1alpha1.CatalogSync, valid func(*selarasv1alpha1.CatalogSync) *problem) *problem {
	wanted := map[string]bool{}
	for _, channel := range r.members() {
		for _, group := range r.groupsOf(channel) {
			wanted[channel.Name+"/"+group] = true
		}
	}
	for i, other := range elders {
		overlap := claims(follow(other, channels), wanted)
		if overlap == "" || !other.DeletionTimestamp.IsZero() {
			continue
		}
		// An elder that does not work itself keeps nobody out.
		if resolve(other, channels, elders[:i], valid).problem != nil {
			continue
		}
		channel, group, _ := strings.Cut(overlap, "/")
		return faults.New(selarasv1alpha1.ReasonFieldConflict, fmt.Sprintf(
			"spec.fields.%s: the %s of Channel %s is kept by CatalogSync %s, which is older; leave the channel or the field group to one of the two", group, group, channel, other.Name))
	}
	return nil
}

// claims returns the first of the wanted pairs that a sync keeps, in order.
func claims(r *resolution, wanted map[string]bool) string {
	for _, channel := range r.members() {
		for _, group := range r.groupsOf(channel) {
			if pair := channel.Name + "/" + group; wanted[pair] {
				return pair
			}
		}
	}
	return ""
}
