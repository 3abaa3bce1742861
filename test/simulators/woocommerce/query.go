package woocommerce

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listing is what a list needs to know of its things.
type listing[T any] struct {
	id       func(T) int64
	created  func(T) time.Time
	modified func(T) time.Time
	title    func(T) string
	status   func(T) string
}

// maxPerPage is the most items of a page.
const maxPerPage = 100

func badParam(name string) error {
	return &apiError{
		code: "rest_invalid_param", message: "Invalid parameter(s): " + name, status: http.StatusBadRequest,
		data: map[string]any{"params": object{name: name + " is not valid."}},
	}
}

// number is a parameter that is a whole number, within bounds.
func (q *request) number(name string, absent, least, most int) (int, error) {
	text := q.query.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badParam(name)
	}
	return n, nil
}

// page filters and sorts things, and returns the page that the request is for.
func page[T any](s *Shop, q *request, all []T, l listing[T]) ([]T, error) {
	all, err := filter(s, q, all, l)
	if err != nil {
		return nil, err
	}
	if err := sortBy(q, all, l); err != nil {
		return nil, err
	}
	perPage, err := q.number("per_page", 10, 1, maxPerPage)
	if err != nil {
		return nil, err
	}
	number, err := q.number("page", 1, 1, 1<<30)
	if err != nil {
		return nil, err
	}
	from := (number - 1) * perPage
	byOffset := q.query.Get("offset") != ""
	if byOffset {
		if from, err = q.number("offset", 0, 0, 1<<30); err != nil {
			return nil, err
		}
	}
	total := len(all)
	some := all[min(from, total):min(from+perPage, total)]
	if len(some) == 0 && byOffset {
		// WordPress counts nothing where it finds nothing, and WooCommerce counts
		// again for pages only.
		total = 0
	}
	q.count(s, total, perPage, number)
	return some, nil
}

// count sets the headers of a page.
func (q *request) count(s *Shop, total, perPage, number int) {
	pages := (total + perPage - 1) / perPage
	q.header.Set("X-WP-Total", strconv.Itoa(total))
	q.header.Set("X-WP-TotalPages", strconv.Itoa(pages))
	var links []string
	link := func(number int, rel string) {
		query := url.Values{}
		for name, values := range q.query {
			query[name] = values
		}
		query.Set("page", strconv.Itoa(number))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel=%q`, s.home(q.Request), q.URL.Path, query.Encode(), rel))
	}
	if number > 1 {
		link(min(number-1, max(pages, 1)), "prev")
	}
	if number < pages {
		link(number+1, "next")
	}
	if len(links) > 0 {
		q.header.Set("Link", strings.Join(links, ", "))
	}
}

// filter leaves what the request asks for by id, status and time.
func filter[T any](s *Shop, q *request, all []T, l listing[T]) ([]T, error) {
	include, err := q.ids("include")
	if err != nil {
		return nil, err
	}
	after, err := s.timeParam(q, "modified_after")
	if err != nil {
		return nil, err
	}
	before, err := s.timeParam(q, "modified_before")
	if err != nil {
		return nil, err
	}
	statuses := q.list("status")
	return slices.DeleteFunc(all, func(t T) bool {
		modified := s.column(q, l.modified(t))
		switch {
		case len(include) > 0 && !slices.Contains(include, l.id(t)):
		case after != "" && modified <= after, before != "" && modified >= before:
		case len(statuses) > 0 && !slices.Contains(statuses, "any") && !slices.Contains(statuses, l.status(t)):
		default:
			return false
		}
		return true
	}), nil
}

func (q *request) ids(name string) ([]int64, error) {
	var ids []int64
	for _, text := range q.list(name) {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, badParam(name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// dateTime is what rest_parse_date takes.
var dateTime = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}(:\d{2})?)?$`)

const mysqlTime = "2006-01-02 15:04:05"

// timeParam is a time as WordPress compares it with a column. One without a zone
// is taken as it is; any other is turned into the zone of the site, whichever
// column it is for.
func (s *Shop) timeParam(q *request, name string) (string, error) {
	text := q.query.Get(name)
	if text == "" {
		return "", nil
	}
	zone := dateTime.FindStringSubmatch(text)
	if zone == nil {
		return "", badParam(name)
	}
	text = strings.Replace(strings.ToUpper(text), " ", "T", 1)
	if zone[2] == "" {
		at, err := time.Parse(timeLayout, text)
		if err != nil {
			return "", badParam(name)
		}
		return at.Format(mysqlTime), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "", badParam(name)
	}
	return at.In(s.o.Zone).Format(mysqlTime), nil
}

// column is a time as the database has it: in UTC if the request says that it
// means that column, in the site's zone otherwise.
func (s *Shop) column(q *request, at time.Time) string {
	if v := q.query.Get("dates_are_gmt"); v == "true" || v == "1" {
		return at.UTC().Format(mysqlTime)
	}
	return at.In(s.o.Zone).Format(mysqlTime)
}

// sortBy sorts. By default the newest come first.
func sortBy[T any](q *request, all []T, l listing[T]) error {
	by := map[string]func(a, b T) int{
		"id":      func(a, b T) int { return cmp.Compare(l.id(a), l.id(b)) },
		"date":    func(a, b T) int { return cmp.Or(l.created(a).Compare(l.created(b)), cmp.Compare(l.id(a), l.id(b))) },
		"title":   func(a, b T) int { return cmp.Or(cmp.Compare(l.title(a), l.title(b)), cmp.Compare(l.id(a), l.id(b))) },
		"include": func(a, b T) int { return cmp.Compare(l.id(a), l.id(b)) },
	}
	name, direction := cmp.Or(q.query.Get("orderby"), "date"), cmp.Or(q.query.Get("order"), "desc")
	compare := by[name]
	if compare == nil {
		return badParam("orderby")
	}
	switch direction {
	case "asc":
		slices.SortFunc(all, compare)
	case "desc":
		slices.SortFunc(all, func(a, b T) int { return compare(b, a) })
	default:
		return badParam("order")
	}
	return nil
}
