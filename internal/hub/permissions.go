package hub

import (
	"fmt"

	"github.com/nats-io/jwt/v2"
)

// WorkloadKind says what a holder of credentials does.
type WorkloadKind string

// The kinds of workloads.
const (
	// Connector drives one Channel.
	Connector WorkloadKind = "connector"
	// Catalog folds facts into items, ledgers and lines.
	Catalog WorkloadKind = "catalog"
	// Operator manages the namespace.
	Operator WorkloadKind = "operator"
)

// Workload names a holder of credentials.
type Workload struct {
	Kind WorkloadKind
	// Name of the Channel of a connector; ignored for the others.
	Name string
}

// Tags of our user JWTs, so that a client knows who it is.
const (
	tagKind      = "kind"
	tagNamespace = "namespace"
	tagIsolation = "isolation"
)

func (w Workload) validate() error {
	switch w.Kind {
	case Connector:
		return validName(w.Name)
	case Catalog, Operator:
		return nil
	}
	return fmt.Errorf("workload kind %q is unknown: connector, catalog or operator", w.Kind)
}

// user is the name in the JWT; it is part of consumer names and of the inbox.
func (w Workload) user() string {
	if w.Kind == Connector {
		return "connector-" + w.Name
	}
	return string(w.Kind)
}

// watched lists the patterns a connector may watch, each by a consumer of its
// own whose name and filter the permissions spell out.
func watched(channel string) []string {
	return []string{"config.channel." + channel, "config.sync.*"}
}

// permissions lists what a workload may publish and subscribe to. JetStream
// requests are publishes, so reading is restricted here too. docs/hub.md has
// the same as a table.
func (l layout) permissions(w Workload) jwt.Permissions {
	user := w.user()
	var p jwt.Permissions
	p.Sub.Allow.Add(l.inbox + "." + user + ".>")
	allow := func(subjects ...string) { p.Pub.Allow.Add(subjects...) }
	api := func(subjects ...string) {
		for _, s := range subjects {
			allow(apiPrefix + s)
		}
	}
	// A consumer of a fixed name and filter: nobody else's can be touched.
	own := func(stream, purpose, filter string) {
		name := fixedConsumerName(user, purpose, []string{filter})
		api("CONSUMER.CREATE."+stream+"."+name+"."+filter,
			"CONSUMER.DELETE."+stream+"."+name,
			"CONSUMER.MSG.NEXT."+stream+"."+name)
	}
	get := func(patterns ...string) {
		for _, k := range patterns {
			api("DIRECT.GET." + l.kv() + "." + l.key(k))
		}
	}
	switch w.Kind {
	case Connector:
		lease, report := "lease.channel."+w.Name, "report.channel."+w.Name
		allow(l.prefix+"facts."+w.Name+".>", l.key(report), l.key(lease))
		own(l.cat, "records", l.filters(Shared)[0])
		api("DIRECT.GET." + l.cat + "." + l.prefix + cursorSubject)
		for _, k := range watched(w.Name) {
			own(l.kv(), "watch", l.key(k))
			get(k)
		}
		// Its own report holds positions that outlive the loss of its store.
		get(lease, report)
	case Catalog:
		allow(l.prefix+"cat.>", l.prefix+"ledger.>", l.prefix+"line.>",
			l.key("report.catalog"), l.key("lease.catalog"))
		api("STREAM.INFO."+l.facts, "STREAM.INFO."+l.cat, "STREAM.INFO."+l.kv(),
			"STREAM.PURGE."+l.facts, "STREAM.MSG.GET."+l.cat,
			"DIRECT.GET."+l.cat+".>",
			"CONSUMER.CREATE."+l.facts+".>", "CONSUMER.DELETE."+l.facts+".*", "CONSUMER.MSG.NEXT."+l.facts+".*",
			"CONSUMER.CREATE."+l.cat+".>", "CONSUMER.DELETE."+l.cat+".*", "CONSUMER.MSG.NEXT."+l.cat+".*",
			"CONSUMER.DELETE."+l.kv()+".*", "CONSUMER.MSG.NEXT."+l.kv()+".*")
		for _, k := range []string{"config.>", "report.>"} {
			api("CONSUMER.CREATE." + l.kv() + ".*." + l.key(k))
			get(k)
		}
		get("lease.catalog")
	case Operator:
		allow(">")
	}
	return p
}
