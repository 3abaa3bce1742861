package woocommerce

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxBatch is the most items of a batch, of all kinds together.
const maxBatch = 100

// batch carries out a batch. Its items are one after the other, and each of them
// answers for itself.
func (s *Shop) batch(q *request, parent *product) (int, any, error) {
	kinds := []string{"create", "update", "delete"}
	items, total := map[string][]any{}, 0
	for _, kind := range kinds {
		list, ok := q.body[kind].([]any)
		if !ok && q.body[kind] != nil {
			return 0, nil, badParam(kind)
		}
		items[kind], total = list, total+len(list)
	}
	if total > maxBatch {
		return 0, nil, refuse(http.StatusRequestEntityTooLarge, "woocommerce_rest_request_entity_too_large", "Unable to accept more than 100 items for this request.")
	}
	answer := object{}
	for _, kind := range kinds {
		var answers []object
		for _, item := range items[kind] {
			if s.faults.dies() {
				return 0, nil, errDied
			}
			answers = append(answers, s.batchItem(kind, item, parent))
		}
		if answers != nil {
			answer[kind] = answers
		}
	}
	return http.StatusOK, answer, nil
}

// batchItem is the answer of one item.
func (s *Shop) batchItem(kind string, item any, parent *product) object {
	fields, _ := item.(object)
	id := integer(fields["id"])
	var view object
	var err error
	switch kind {
	case "create":
		id = 0
		view, err = s.create(fields, parent)
	case "update":
		view, err = s.update(id, fields, parent)
	case "delete":
		id = integer(item)
		view, err = s.deleteProduct(id, parent, true)
	}
	if err == nil {
		return view
	}
	refused, ok := err.(*apiError) //nolint:errorlint // made by refuse, never wrapped
	if !ok {
		refused = refuse(http.StatusInternalServerError, "internal_server_error", err.Error())
	}
	return object{"id": id, "error": refused.view()}
}

// create makes a product, or a variation of one.
func (s *Shop) create(fields object, parent *product) (object, error) {
	if integer(fields["id"]) != 0 {
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_product_exists", "Cannot create existing product.")
	}
	p := product{Type: typeSimple, Status: statusPublish, Backorders: "no"}
	if parent != nil {
		p.Type, p.ParentID = typeVariation, parent.ID
	} else if kind, ok := fields["type"].(string); ok {
		p.Type = kind
	}
	return s.write(p, fields)
}

// update changes a product or a variation. In a batch, a variation of another
// product becomes one of this.
func (s *Shop) update(id int64, fields object, parent *product) (object, error) {
	p, ok := s.product(id)
	if !ok {
		return nil, invalidID(parent, http.StatusBadRequest)
	}
	if parent == nil && p.Type == typeVariation {
		return nil, refuse(http.StatusNotFound, "woocommerce_rest_invalid_product_id", "To manipulate product variations you should use the /products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.")
	}
	if parent != nil {
		p.ParentID = parent.ID
	}
	return s.write(p, fields)
}

// write sets fields, saves, and answers with what is stored then.
func (s *Shop) write(p product, fields object) (object, error) {
	if sku, ok := fields["sku"].(string); ok {
		p.SKU = clean(sku)
		if err := s.checkSKU(p.SKU, p.ID); err != nil {
			return nil, err
		}
	}
	if p.Type == typeVariation {
		s.setVariation(&p, fields)
	} else {
		setProduct(&p, fields)
	}
	if status, ok := fields["status"].(string); ok {
		p.Status = statusDraft
		if slices.Contains([]string{statusPublish, statusPrivate, statusDraft, "pending", "future"}, status) {
			p.Status = status
		}
	}
	setStock(&p, fields)
	s.setMeta(&p, fields)
	p = s.save(p)
	if p.Type == typeVariation {
		return s.variationView(p, false), nil
	}
	return s.viewOf(p, true), nil
}

func setProduct(p *product, fields object) {
	if name, ok := fields["name"].(string); ok {
		p.Name = kses(name)
	}
	if text, ok := fields["description"].(string); ok {
		p.Description = kses(text)
	}
	if slug, ok := fields["slug"].(string); ok {
		p.Slug = slug
	}
	if list, ok := fields["attributes"].([]any); ok {
		p.Attributes = nil
		for _, entry := range list {
			a, _ := entry.(object)
			p.Attributes = append(p.Attributes, attribute{
				ID: integer(a["id"]), Name: clean(text(a["name"])), Position: integer(a["position"]), Visible: a["visible"] == true,
				Variation: a["variation"] == true, Options: optionsOf(a["options"]),
			})
		}
	}
	if p.Type == typeVariable || p.Type == typeGrouped {
		p.RegularPrice, p.SalePrice = "", ""
		return
	}
	setPrices(p, fields)
}

// optionsOf are the values of an attribute: WooCommerce keeps them in one text,
// parted by bars.
func optionsOf(list any) []string {
	all, _ := list.([]any)
	texts := make([]string, 0, len(all))
	for _, o := range all {
		texts = append(texts, text(o))
	}
	options := []string{}
	for part := range strings.SplitSeq(strings.Join(texts, "|"), "|") {
		if part = strings.TrimSpace(part); part != "" {
			options = append(options, part)
		}
	}
	return options
}

func setPrices(p *product, fields object) {
	if price, ok := fields["regular_price"].(string); ok {
		p.RegularPrice = decimal(price)
	}
	if price, ok := fields["sale_price"].(string); ok {
		p.SalePrice = decimal(price)
	}
}

// setVariation takes the attributes that its product has for variations, those
// of the whole shop by their ids, the others by their names. It passes over any
// other.
func (s *Shop) setVariation(v *product, fields object) {
	setPrices(v, fields)
	if text, ok := fields["description"].(string); ok {
		v.Description = kses(text)
	}
	list, ok := fields["attributes"].([]any)
	if !ok {
		return
	}
	parent, _ := s.product(v.ParentID)
	v.Chosen = nil
	for _, entry := range list {
		a, _ := entry.(object)
		id, key := integer(a["id"]), attributeKey(text(a["name"]))
		for _, of := range parent.Attributes {
			if of.Variation && of.ID == id && (id != 0 || attributeKey(of.Name) == key) {
				v.Chosen = append(v.Chosen, choice{ID: of.ID, Name: of.Name, Option: clean(unslash(text(a["option"])))})
			}
		}
	}
}

// setStock sets a quantity where stock is managed, and none where it is not.
func setStock(p *product, fields object) {
	if managed, ok := fields["manage_stock"].(bool); ok {
		p.ManageStock = managed
	}
	if !p.ManageStock {
		p.Stock, p.Backorders = nil, "no"
		return
	}
	if p.Stock == nil {
		p.Stock = new(int64)
	}
	if units, ok := fields["stock_quantity"]; ok && units != nil {
		*p.Stock = integer(units)
	}
	if backorders, ok := fields["backorders"].(string); ok {
		p.Backorders = backorders
	}
}

func (s *Shop) setMeta(p *product, fields object) {
	list, _ := fields["meta_data"].([]any)
	for _, entry := range list {
		m, _ := entry.(object)
		key := text(m["key"])
		i := slices.IndexFunc(p.Meta, func(have metadata) bool { return have.Key == key })
		if i < 0 {
			p.Meta = append(p.Meta, metadata{ID: s.nextID(), Key: key})
			i = len(p.Meta) - 1
		}
		p.Meta[i].Value = m["value"]
	}
}

// text and integer read what JSON holds as PHP would.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func integer(v any) int64 {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		return int64(f)
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}
