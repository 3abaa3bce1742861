package catalogsync

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/internal/workload"
)

var everything = []string{"ReadListings", "GetListings", "ReadChanges", "WriteContent", "WritePrice", "WriteStock", "ReadOrders"}

func aChannel(name string, labels map[string]string, capabilities ...string) *selarasv1alpha1.Channel {
	return &selarasv1alpha1.Channel{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "retail", UID: types.UID("c-" + name), Labels: labels},
		Spec:       selarasv1alpha1.ChannelSpec{Type: "vendure"},
		Status:     selarasv1alpha1.ChannelStatus{Capabilities: capabilities},
	}
}

// aSync is a sync of source web to the named channels; age orders them, the
// higher the older.
func aSync(name string, age int, targets ...string) *selarasv1alpha1.CatalogSync {
	return &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "retail", UID: types.UID("s-" + name), Generation: 3,
			CreationTimestamp: metav1.NewTime(time.Unix(1_000_000-int64(age), 0)),
		},
		Spec: selarasv1alpha1.CatalogSyncSpec{
			Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: "web"},
			Channels: selarasv1alpha1.ChannelSelection{Names: targets},
		},
	}
}

func allValid(*selarasv1alpha1.CatalogSync) *problem { return nil }

func targetNames(r *resolution) []string {
	var names []string
	for _, channel := range r.targets {
		names = append(names, channel.Name)
	}
	return names
}

func TestChannelsAreSelectedByLabelAndByName(t *testing.T) {
	t.Parallel()
	id := map[string]string{"country": "id"}
	channels := []*selarasv1alpha1.Channel{
		aChannel("web", id, everything...), aChannel("till", nil, everything...),
		aChannel("market", id, everything...), aChannel("other", nil, everything...),
	}
	sync := aSync("main", 1, "till", "gone")
	sync.Spec.Channels.Selector = &metav1.LabelSelector{MatchLabels: id}
	r := resolve(sync, channels, nil, allValid)
	if r.problem != nil {
		t.Fatalf("refused: %+v", r.problem)
	}
	if got := targetNames(r); !slices.Equal(got, []string{"market", "till"}) {
		t.Errorf("targets are %v, want market and till: the source that the selector matches is no target", got)
	}
	if !slices.Equal(r.missing, []string{"gone"}) {
		t.Errorf("missing is %v, want gone", r.missing)
	}
	config := syncConfig(r, nil)
	if entry, ok := config.Channels["web"]; !ok || !slices.Equal(entry.Groups, []string{"stock"}) {
		t.Errorf("the source's entry is %+v: its stock, and nothing else, is written back", entry)
	}
}

func TestTheStockPolicyIsHandedOnWithTheChannelsParts(t *testing.T) {
	t.Parallel()
	channels := []*selarasv1alpha1.Channel{aChannel("web", nil, everything...), aChannel("till", nil, everything...), aChannel("market", nil, everything...)}
	sync := aSync("main", 1, "till", "market")
	share, pool, held := int64(40), int64(7), int64(2)
	sync.Spec.Stock = &selarasv1alpha1.Stock{Policy: selarasv1alpha1.StockPercent, StockLimits: selarasv1alpha1.StockLimits{SafetyStock: &held}}
	sync.Spec.Channels.Overrides = []selarasv1alpha1.ChannelOverride{
		{Channel: "market", Stock: &selarasv1alpha1.ChannelStock{Share: &share}},
		{Channel: "web", Stock: &selarasv1alpha1.ChannelStock{Pool: &pool}},
	}
	config := syncConfig(resolve(sync, channels, nil, allValid), nil)
	market, web, till := config.Channels["market"], config.Channels["web"], config.Channels["till"]
	if config.Policy != workload.StockPercent || market.Share == nil || *market.Share != share || market.SafetyStock != held || web.Pool == nil || *web.Pool != pool {
		t.Errorf("policy %q, market %+v, web %+v", config.Policy, market, web)
	}
	if till.Share != nil || till.Pool != nil {
		t.Errorf("a channel without an override has %+v", till)
	}
	sync.Spec.Stock.Policy = selarasv1alpha1.StockShared
	if config = syncConfig(resolve(sync, channels, nil, allValid), nil); config.Policy != "" {
		t.Errorf("a stock that is shared, as ever, is handed on as %q", config.Policy)
	}
}

func TestSourceNamedAsItsOwnTargetIsRefused(t *testing.T) {
	t.Parallel()
	r := resolve(aSync("main", 1, "till", "web"), []*selarasv1alpha1.Channel{aChannel("web", nil), aChannel("till", nil)}, nil, allValid)
	if r.problem == nil || r.problem.Reason != selarasv1alpha1.ReasonSameAccount || !strings.Contains(r.problem.Message, "spec.channels.names[1]") {
		t.Errorf("got %+v, want SameAccount at spec.channels.names[1]", r.problem)
	}
}

// One shop under two names: refused where it is named, left out where a
// selector happens to match it, so that it stops nobody else's sync.
func TestSourceUnderAnotherNameIsNoTarget(t *testing.T) {
	t.Parallel()
	id := map[string]string{"country": "id"}
	channels := []*selarasv1alpha1.Channel{aChannel("web", id), aChannel("twin", id), aChannel("till", id)}
	for i, account := range []string{"one", "one", "two"} {
		channels[i].Status.AccountID = account
	}
	r := resolve(aSync("main", 1, "till", "twin"), channels, nil, allValid)
	if r.problem == nil || r.problem.Reason != selarasv1alpha1.ReasonSameAccount || !strings.Contains(r.problem.Message, "spec.channels.names[1]: Channel twin sells the same account as source web") {
		t.Errorf("named: %+v, want SameAccount at spec.channels.names[1]", r.problem)
	}
	sync := aSync("main", 1)
	sync.Spec.Channels.Selector = &metav1.LabelSelector{MatchLabels: id}
	r = resolve(sync, channels, nil, allValid)
	if got := targetNames(r); r.problem != nil || !slices.Equal(got, []string{"till"}) {
		t.Errorf("selected: %v, %+v, want till alone", got, r.problem)
	}
	channels[1].Spec.Type = "medusa"
	if r := resolve(sync, channels, nil, allValid); len(r.targets) != 2 {
		t.Errorf("an account of the same name of another type is left out: %v", targetNames(r))
	}
}

func TestWhatAChannelCannotDoIsRefusedByName(t *testing.T) {
	t.Parallel()
	channels := []*selarasv1alpha1.Channel{
		aChannel("web", nil, everything...),
		aChannel("feed", nil, "ReadListings", "GetListings", "WritePrice", "WriteContent", "ReadOrders"),
	}
	r := resolve(aSync("main", 1, "feed"), channels, nil, allValid)
	if r.problem == nil || r.problem.Reason != selarasv1alpha1.ReasonCapabilityMissing ||
		!strings.Contains(r.problem.Message, "WriteStock") || !strings.Contains(r.problem.Message, "feed") {
		t.Fatalf("got %+v, want CapabilityMissing naming WriteStock and feed", r.problem)
	}
	priceOnly := aSync("main", 1, "feed")
	priceOnly.Spec.Fields = &selarasv1alpha1.Fields{Price: &selarasv1alpha1.FieldGroup{}}
	if r := resolve(priceOnly, channels, nil, allValid); r.problem != nil {
		t.Errorf("without the stock: %+v", r.problem)
	}
	channels[1].Status.Capabilities = nil
	if r := resolve(aSync("main", 1, "feed"), channels, nil, allValid); r.problem != nil {
		t.Errorf("a channel that has not reported was judged: %+v", r.problem)
	}
}

func TestOldestSyncKeepsAFieldGroup(t *testing.T) {
	t.Parallel()
	channels := []*selarasv1alpha1.Channel{aChannel("web", nil), aChannel("till", nil), aChannel("market", nil)}
	elder, younger := aSync("elder", 2, "till"), aSync("younger", 1, "till", "market")
	elder.Spec.Fields = &selarasv1alpha1.Fields{Price: &selarasv1alpha1.FieldGroup{}}
	r := resolve(younger, channels, []*selarasv1alpha1.CatalogSync{elder}, allValid)
	if r.problem == nil || r.problem.Reason != selarasv1alpha1.ReasonFieldConflict ||
		!strings.Contains(r.problem.Message, "spec.fields.price") || !strings.Contains(r.problem.Message, "elder") {
		t.Fatalf("got %+v, want FieldConflict at spec.fields.price naming elder", r.problem)
	}
	if r := resolve(elder, channels, nil, allValid); r.problem != nil {
		t.Errorf("the elder was refused: %+v", r.problem)
	}
	younger.Spec.Fields = &selarasv1alpha1.Fields{Content: &selarasv1alpha1.FieldGroup{}}
	if r := resolve(younger, channels, []*selarasv1alpha1.CatalogSync{elder}, allValid); r.problem != nil {
		t.Errorf("another field group of the same channel was refused: %+v", r.problem)
	}
}

func TestAnElderThatDoesNotWorkKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	channels := []*selarasv1alpha1.Channel{aChannel("web", nil), aChannel("till", nil)}
	eldest, elder, younger := aSync("eldest", 3, "till"), aSync("elder", 2, "till"), aSync("younger", 1, "till")
	invalid := func(names ...string) func(*selarasv1alpha1.CatalogSync) *problem {
		return func(s *selarasv1alpha1.CatalogSync) *problem {
			if slices.Contains(names, s.Name) {
				return faults.New("InvalidPriceRule", "spec.price.rule")
			}
			return nil
		}
	}
	elders := []*selarasv1alpha1.CatalogSync{eldest, elder}
	if r := resolve(younger, channels, elders, invalid("eldest")); r.problem == nil || !strings.Contains(r.problem.Message, "CatalogSync elder,") {
		t.Errorf("got %+v: the eldest does not work, so the elder keeps the fields", r.problem)
	}
	if r := resolve(younger, channels, elders, invalid("eldest", "elder")); r.problem != nil {
		t.Errorf("got %+v, though no elder works", r.problem)
	}
}
