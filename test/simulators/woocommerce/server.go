package woocommerce

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const root = "/wp-json/wc/v3"

// maxBody bounds what a request may send, as PHP's post_max_size does.
const maxBody = 8 << 20

// request is one request of the API.
type request struct {
	*http.Request
	query url.Values
	body  object
	// path are the parts of the path behind the root.
	path []string
	// header of the answer.
	header http.Header
}

// ServeHTTP implements http.Handler.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		http.Error(w, "<html>413 Request Entity Too Large</html>", http.StatusRequestEntityTooLarge)
		return
	}
	if s.faults.intercept(w, r, func() (int, any) {
		return s.answer(&request{Request: r, header: http.Header{}}, body)
	}) {
		return
	}
	q := &request{Request: r, header: w.Header()}
	status, answer := s.answer(q, body)
	write(w, status, answer)
}

// write sends an answer: JSON, or a page where it is text.
func write(w http.ResponseWriter, status int, answer any) {
	if page, ok := answer.(string); ok {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page) // the client may be gone
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(err.Error())
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// answer is what the shop says to a request.
func (s *Shop) answer(q *request, body []byte) (int, any) {
	status, answer := http.StatusOK, any(nil)
	err := s.do(func() (err error) {
		status, answer, err = s.route(q, body)
		return err
	})
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		return refused.status, refused.view()
	case errors.Is(err, errDied):
		return http.StatusInternalServerError, object{
			"code": "internal_server_error", "message": "<p>There has been a critical error on this website.</p>",
			"data": object{"status": 500}, "additional_errors": []any{},
		}
	case err != nil:
		return http.StatusInternalServerError, err.Error()
	}
	return status, answer
}

func (e *apiError) view() object {
	data := object{"status": e.status}
	for k, v := range e.data {
		data[k] = v
	}
	return object{"code": e.code, "message": e.message, "data": data}
}

// route finds what answers a request.
func (s *Shop) route(q *request, body []byte) (int, any, error) {
	rest, ok := strings.CutPrefix(q.URL.Path, root+"/")
	if !ok {
		return http.StatusNotFound, "<!DOCTYPE html><html>Page not found</html>", nil
	}
	q.path = strings.Split(strings.Trim(rest, "/"), "/")
	if err := q.parse(body); err != nil {
		return 0, nil, err
	}
	if err := s.authenticate(q); err != nil {
		return 0, nil, err
	}
	switch q.path[0] {
	case "system_status":
		return http.StatusOK, s.systemStatus(q), nil
	case "products":
		return s.routeProducts(q)
	case "variations":
		if !s.o.Before103 && q.Method == http.MethodGet && len(q.path) == 1 {
			return s.listVariations(q, 0)
		}
	case "orders":
		return s.routeOrders(q)
	case "reports":
		if strings.Join(q.path, "/") == "reports/orders/totals" {
			return http.StatusOK, s.orderTotals(), nil
		}
	case "webhooks":
		return s.routeWebhooks(q)
	}
	return 0, nil, noRoute()
}

func noRoute() error {
	return refuse(http.StatusNotFound, "rest_no_route", "No route was found matching the URL and request method.")
}

func (q *request) parse(body []byte) error {
	var err error
	if q.query, err = url.ParseQuery(q.URL.RawQuery); err != nil {
		return refuse(http.StatusBadRequest, "rest_invalid_param", err.Error())
	}
	if len(body) == 0 {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	if err := decoder.Decode(&q.body); err != nil {
		return refuse(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
	}
	return nil
}

// id is the id in a part of the path.
func (q *request) id(part int) (int64, error) {
	if len(q.path) <= part {
		return 0, noRoute()
	}
	id, err := strconv.ParseInt(q.path[part], 10, 64)
	if err != nil {
		return 0, noRoute()
	}
	return id, nil
}

// fields are those that the request asked for.
func (q *request) fields() []string { return q.list("_fields") }

// list is a parameter of several values, with commas or with brackets.
func (q *request) list(name string) []string {
	var all []string
	for _, text := range append(q.query[name], q.query[name+"[]"]...) {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// systemStatus is what the shop says of itself. Who asks for the whole of the
// environment lets it look whether it reaches other sites.
func (s *Shop) systemStatus(q *request) object {
	home := s.home(q.Request)
	environment := object{
		"home_url": home, "site_url": home, "store_id": s.store, "version": "10.3.0", "wp_version": "6.8",
		"remote_get_successful": nil,
	}
	if fields := q.fields(); len(fields) == 0 || slices.Contains(fields, "environment") {
		s.lookups++
		environment["remote_get_successful"] = true
	}
	return only(object{
		"environment": environment,
		"settings": object{
			"currency": s.o.Currency, "number_of_decimals": s.o.Decimals, "decimal_separator": ".", "thousand_separator": ",",
		},
	}, q.fields())
}

// home is the address that the site knows as its own.
func (s *Shop) home(r *http.Request) string {
	if s.o.Home != "" {
		return s.o.Home
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s", scheme, r.Host)
}
