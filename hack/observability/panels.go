package main

import "strconv"

// How panels are made. A panel takes its expressions from query; option
// functions change what differs.

type option func(*panel)

func width(w int) option       { return func(p *panel) { p.GridPos.W = w } }
func height(h int) option      { return func(p *panel) { p.GridPos.H = h } }
func unit(u string) option     { return func(p *panel) { p.FieldConfig.Defaults.Unit = u } }
func says(text string) option  { return func(p *panel) { p.Description = text } }
func empty(text string) option { return func(p *panel) { p.FieldConfig.Defaults.NoValue = text } }

// fromZero begins the axis at 0, so that a small change looks small.
func fromZero() option { return func(p *panel) { p.FieldConfig.Defaults.Min = new(float64) } }
func ceiling(v float64) option {
	return func(p *panel) { p.FieldConfig.Defaults.Max = &v }
}

// query adds an expression; its series are called legend.
func query(legend, expr string) option {
	return func(p *panel) {
		p.Targets = append(p.Targets, target{
			RefID: refID(len(p.Targets)), Datasource: prometheusSource, Expr: expr, LegendFormat: legend, Range: true,
		})
	}
}

// now adds an expression of which only the present value counts.
func now(legend, expr string) option {
	return func(p *panel) {
		p.Targets = append(p.Targets, target{
			RefID: refID(len(p.Targets)), Datasource: prometheusSource, Expr: expr, LegendFormat: legend, Instant: true,
		})
	}
}

// column adds an expression as a column of a table.
func column(expr string) option {
	return func(p *panel) {
		p.Targets = append(p.Targets, target{
			RefID: refID(len(p.Targets)), Datasource: prometheusSource, Expr: expr, Instant: true, Format: "table",
		})
	}
}

func refID(n int) string { return string(rune('A' + n)) }

// levels colours values: the first colour from the start, each further one
// from its value up.
func levels(first string, more ...any) option {
	steps := []thresholdStep{{Color: first}}
	for i := 0; i+1 < len(more); i += 2 {
		value := number(more[i])
		steps = append(steps, thresholdStep{Color: more[i+1].(string), Value: &value})
	}
	return func(p *panel) {
		p.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: steps}
		p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
		if p.Type == "timeseries" {
			p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"}
			p.FieldConfig.Defaults.Custom["thresholdsStyle"] = map[string]any{"mode": "dashed"}
		}
	}
}

func number(v any) float64 {
	if n, ok := v.(int); ok {
		return float64(n)
	}
	return v.(float64)
}

// values shows numbers as words.
func values(words map[int]mappingResult) option {
	m := mapping{Type: "value", Options: map[string]mappingResult{}}
	for value, result := range words {
		result.Index = value
		m.Options[strconv.Itoa(value)] = result
	}
	return func(p *panel) { p.FieldConfig.Defaults.Mappings = append(p.FieldConfig.Defaults.Mappings, m) }
}

// dashed draws the series whose name matches a regular expression as a dashed
// line without filling: a limit, not a measurement.
func dashed(pattern string) option {
	return func(p *panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			Matcher: matcher{ID: "byRegexp", Options: pattern},
			Properties: []property{
				{ID: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{8, 8}}},
				{ID: "custom.fillOpacity", Value: 0},
				{ID: "color", Value: map[string]any{"mode": "fixed", "fixedColor": "red"}},
			},
		})
	}
}

// field changes one column of a table.
func field(name string, properties ...property) option {
	return func(p *panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{Matcher: matcher{ID: "byName", Options: name}, Properties: properties})
	}
}

func newPanel(kind, title string, options map[string]any, custom map[string]any, more []option) *panel {
	p := &panel{
		Type: kind, Title: title, Datasource: prometheusSource, Options: options,
		GridPos:     position{W: 8, H: 8},
		FieldConfig: &fieldConfig{Defaults: fieldDefaults{Custom: custom}, Overrides: []override{}},
	}
	for _, o := range more {
		o(p)
	}
	return p
}

func stat(title string, more ...option) *panel {
	return newPanel("stat", title, map[string]any{
		"colorMode": "value", "graphMode": "area", "textMode": "auto",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}, nil, append([]option{width(4), height(4)}, more...))
}

func timeseries(title string, more ...option) *panel {
	return newPanel("timeseries", title, map[string]any{
		"legend":  map[string]any{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}, map[string]any{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never"}, more)
}

func stateTimeline(title string, more ...option) *panel {
	return newPanel("state-timeline", title, map[string]any{
		"mergeValues": true, "showValue": "never", "rowHeight": 0.8,
		"legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false},
	}, map[string]any{"fillOpacity": 80, "lineWidth": 0}, more)
}

func heatmap(title string, more ...option) *panel {
	p := newPanel("heatmap", title, map[string]any{
		"calculate": false, "cellGap": 1,
		"color":  map[string]any{"mode": "scheme", "scheme": "Spectral", "steps": 64, "reverse": true, "exponent": 0.5, "fill": "dark-orange", "scale": "exponential"},
		"yAxis":  map[string]any{"unit": "s", "axisPlacement": "left"},
		"legend": map[string]any{"show": true}, "tooltip": map[string]any{"mode": "single", "yHistogram": false},
	}, nil, more)
	for i := range p.Targets {
		p.Targets[i].Format = "heatmap"
	}
	return p
}

// table joins its columns on the labels that all of them have.
func table(title string, names map[string]string, order map[string]int, hidden []string, more ...option) *panel {
	p := newPanel("table", title, map[string]any{"showHeader": true, "cellHeight": "sm"}, map[string]any{"align": "auto", "filterable": true}, more)
	exclude := map[string]bool{}
	for _, name := range hidden {
		exclude[name] = true
	}
	p.Transformations = []transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{"excludeByName": exclude, "indexByName": order, "renameByName": names}},
	}
	return p
}
