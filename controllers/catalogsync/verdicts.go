package catalogsync

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// verdicts remembers what the validator said of each spec: compiling
// expressions is costly, and every sync looks at its elders. Entries of
// deleted syncs are dropped when there are far more entries than syncs could
// need.
type verdicts struct {
	mu    sync.Mutex
	known map[types.UID]verdict
}

type verdict struct {
	generation int64
	problem    *problem
}

// maxVerdicts bounds the memory of verdicts; past it everything is judged anew.
const maxVerdicts = 10_000

func (v *verdicts) of(object *selarasv1alpha1.CatalogSync, judge func() *problem) *problem {
	v.mu.Lock()
	known, ok := v.known[object.UID]
	v.mu.Unlock()
	if ok && known.generation == object.Generation {
		return known.problem
	}
	p := judge()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) >= maxVerdicts {
		v.known = map[types.UID]verdict{}
	}
	v.known[object.UID] = verdict{object.Generation, p}
	return p
}
