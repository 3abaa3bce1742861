package shopify

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

// Version is the version that is simulated.
const Version = "2026-10"

// versions are those that are served, the oldest first, and the one to come.
var versions = []string{"2026-01", "2026-04", "2026-07", Version, "2027-01", "unstable"}

// served is the version that answers a request for another: itself, or the
// oldest for one that is not served any more.
func served(version string) (string, bool) {
	if slices.Contains(versions, version) {
		return version, true
	}
	year, month, ok := strings.Cut(version, "-")
	isPast := ok && len(year) == 4 && strings.Trim(year, "0123456789") == "" &&
		slices.Contains([]string{"01", "04", "07", "10"}, month) && version < versions[0]
	return versions[0], isPast
}

// Request is one that came.
type Request struct {
	// Operation is the name of the GraphQL operation, or "token".
	Operation string
	Variables map[string]any
	// N counts all requests from 1.
	N int
}

// Fault is what a request meets instead of an answer.
type Fault struct {
	// Status is answered instead of doing anything; 0 is none.
	Status int
	// RetryAfter goes with Status.
	RetryAfter string
	// Code is the code of a GraphQL error that is answered, with status 200,
	// instead of doing anything.
	Code string
	// Lose carries the request out, and never answers.
	Lose bool
	// Late never answers, and carries the request out when Land is called.
	Late bool
}

// Fault lets fn decide, for every request, what it meets.
func (s *Shop) Fault(fn func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fn
}

// Land lets the requests land whose callers gave up, and returns their number.
func (s *Shop) Land() int {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, fn := range late {
		fn()
	}
	return len(late)
}

// Waiting is the number of requests that wait for Land.
func (s *Shop) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.late)
}

// Requests are the requests that came, the oldest first.
func (s *Shop) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Refused are the names of the operations that found too few points.
func (s *Shop) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// Costs are the most points that a request of each operation asked for.
func (s *Shop) Costs() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.costs)
}

// Freeze stops the shop; what comes meanwhile is carried out after Thaw.
func (s *Shop) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = make(chan struct{})
}

// Thaw lets it go on.
func (s *Shop) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.frozen:
	default:
		close(s.frozen)
	}
}

// Break makes every request fail inside the shop, until Mend.
func (s *Shop) Break() { s.setBroken(true) }

// Mend ends it.
func (s *Shop) Mend() { s.setBroken(false) }

func (s *Shop) setBroken(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// Drain leaves that many points in the bucket.
func (s *Shop) Drain(points float64) { s.bucket.drain(points) }

const maxRequest = 4 << 20

// ServeHTTP implements http.Handler.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return
	}
	s.mu.Lock()
	frozen := s.frozen
	s.mu.Unlock()
	<-frozen
	version, isAPI := strings.CutPrefix(r.URL.Path, "/admin/api/")
	version, isGraphQL := strings.CutSuffix(version, "/graphql.json")
	version, known := served(version)
	switch {
	case r.Method != http.MethodPost:
		plain(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case r.URL.Path == "/admin/oauth/access_token":
		s.serveToken(w, r, body)
	case isAPI && isGraphQL && known:
		if s.o.Serves != "" {
			version = s.o.Serves
		}
		w.Header().Set("X-Shopify-API-Version", version)
		s.serveGraphQL(w, r, body)
	default:
		plain(w, http.StatusNotFound, "Not Found")
	}
}

// plain is an answer that does not come to GraphQL.
func plain(w http.ResponseWriter, status int, said string) {
	answer(w, status, map[string]any{"errors": said})
}

func answer(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) // the client may be gone
}

// meet notes the request and says what it meets. The lock is not held.
func (s *Shop) meet(operation string, variables map[string]any) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request := Request{Operation: operation, Variables: variables, N: len(s.requests) + 1}
	s.requests = append(s.requests, request)
	if s.fault == nil {
		return Fault{}, s.broken
	}
	return s.fault(request), s.broken
}

// failed answers what a fault says, if it says something.
func failed(w http.ResponseWriter, f Fault, broken bool) bool {
	switch {
	case broken:
		plain(w, http.StatusInternalServerError, "Internal Server Error")
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		plain(w, f.Status, http.StatusText(f.Status))
	case f.Code != "":
		answer(w, http.StatusOK, graphqlErrors(f.Code, "the simulator was told to fail"))
	default:
		return false
	}
	return true
}

func graphqlErrors(code, message string) map[string]any {
	return map[string]any{"errors": []any{map[string]any{"message": message, "extensions": map[string]any{"code": code}}}}
}

// asked is a GraphQL request.
type asked struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
	Operation string         `json:"operationName"`
}

func (s *Shop) serveGraphQL(w http.ResponseWriter, r *http.Request, body []byte) {
	var q asked
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	if decoder.Decode(&q) != nil || q.Query == "" {
		plain(w, http.StatusBadRequest, "Required parameter missing or invalid")
		return
	}
	s.callBefore(q.Operation)
	fault, broken := s.meet(q.Operation, q.Variables)
	if failed(w, fault, broken) {
		return
	}
	by := s.appOf(r.Header.Get("X-Shopify-Access-Token"))
	if by == nil {
		plain(w, http.StatusUnauthorized, "[API] Invalid API key or access token (unrecognized login or wrong password)")
		return
	}
	op, variables, err := s.parse(q)
	if err != nil {
		answer(w, http.StatusOK, err)
		return
	}
	carryOut := func() (int, any) { return s.carryOut(by, op, variables) }
	switch {
	case fault.Late:
		s.delay(by, op, variables, func() { carryOut() })
		<-r.Context().Done()
	case fault.Lose:
		carryOut()
		<-r.Context().Done()
	default:
		status, what := carryOut()
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		answer(w, status, what)
	}
}

// parse validates the request against the schema; an error is the answer.
func (s *Shop) parse(q asked) (*ast.OperationDefinition, map[string]any, any) {
	document, errs := gqlparser.LoadQueryWithRules(s.schema, q.Query, nil)
	if len(errs) > 0 {
		return nil, nil, graphqlErrors("undefinedField", errs.Error())
	}
	op := document.Operations.ForName(q.Operation)
	if op == nil {
		return nil, nil, graphqlErrors("BAD_REQUEST", "No operation named \""+q.Operation+"\"")
	}
	variables, err := validator.VariableValues(s.schema, op, q.Variables)
	if err != nil {
		return nil, nil, graphqlErrors("INVALID_VARIABLE", err.Error())
	}
	return op, variables, nil
}

// carryOut takes the points of the operation, does it, and gives back what it
// did not spend.
func (s *Shop) carryOut(by *app, op *ast.OperationDefinition, variables map[string]any) (int, any) {
	x := &execution{shop: s, app: by, schema: s.schema, variables: variables}
	root := s.schema.Query
	if op.Operation == ast.Mutation {
		root = s.schema.Mutation
	}
	requested := x.asked(op.SelectionSet, root)
	s.mu.Lock()
	s.costs[op.Name] = max(s.costs[op.Name], requested)
	s.mu.Unlock()
	cost := map[string]any{"requestedQueryCost": requested, "actualQueryCost": nil}
	if requested > maxCost {
		what := graphqlErrors("MAX_COST_EXCEEDED", "Query cost exceeds the single query max cost limit")
		return http.StatusOK, what
	}
	if !s.bucket.take(requested) {
		s.mu.Lock()
		s.refused = append(s.refused, op.Name)
		s.mu.Unlock()
		cost["throttleStatus"] = s.bucket.status()
		what := graphqlErrors("THROTTLED", "Throttled")
		what["extensions"] = map[string]any{"cost": cost}
		if s.o.ThrottleByStatus {
			return http.StatusTooManyRequests, map[string]any{"errors": "Throttled"}
		}
		return http.StatusOK, what
	}
	s.mu.Lock()
	data, actual := x.run(op)
	s.mu.Unlock()
	s.bucket.giveBack(max(0, requested-actual))
	cost["actualQueryCost"], cost["throttleStatus"] = actual, s.bucket.status()
	what := map[string]any{"data": data, "extensions": map[string]any{"cost": cost}}
	if len(x.errors) > 0 {
		what["errors"] = x.errors
	}
	return http.StatusOK, what
}

// Before calls do once, before the next request of the operation is carried out:
// what happens between two requests of a driver.
func (s *Shop) Before(operation string, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[operation] = do
}

func (s *Shop) callBefore(operation string) {
	s.mu.Lock()
	do := s.before[operation]
	delete(s.before, operation)
	s.mu.Unlock()
	if do != nil {
		do()
	}
}
