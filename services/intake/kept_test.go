package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// nothingLost says which leaf of a submission is neither told nor kept. What
// may be missing is what answers nothing: blanks, controls, ids, marks of a
// test, traps, and what a mapping ignores on purpose.
func nothingLost(t interface {
	Helper()
	Errorf(format string, args ...any)
}, item Item, m Mapped,
) {
	t.Helper()
	p := m.Submission.GetPersonal()
	kept := map[string]bool{}
	for _, v := range []string{p.GetEmail(), p.GetPhone(), p.GetName(), p.GetFirstName(), p.GetLastName(), p.GetCompany(), p.GetJobTitle(), p.GetMessage(), m.Submission.GetExternalId()} {
		kept[v] = true
	}
	for _, a := range p.GetOther() {
		kept[a.GetValue()] = true
	}
	f := m.Submission.GetFeatures()
	at := f.GetAttribution()
	for _, v := range []string{f.GetCountry(), f.GetLanguage(), f.GetIndustry(), f.GetRole(), f.GetProduct(), at.GetSource(), at.GetMedium(), at.GetCampaign(), at.GetTerm(), at.GetContent(), at.GetId()} {
		kept[v] = true
	}
	for i := range item.Leaves {
		l := &item.Leaves[i]
		v := strings.TrimSpace(l.Value)
		field, _ := recognise(l)
		_, flag := Flag(v)
		switch {
		case v == "" || kept[v] || isControl(l) || l.isID || l.claim != nil && l.claim.ignore || honeypots[strings.ToLower(l.Key)]:
		case field == fieldTest && flag:
		case flag && (field == fieldContactWish || field == fieldContentOnly): // the wish says it
		case field >= fieldUTMSource && field <= fieldUTMID: // cut, or personal and dropped
		case field == fieldEmployees, field == fieldLanguage: // the feature says it
		case strings.Contains(p.GetPhone(), v): // a code in front of the number
		default:
			t.Errorf("%s is lost", l.Path)
		}
	}
}

// Every value of a body is a leaf, or what a leaf is called, and every leaf is
// told or kept, whatever the shape. Only questions without an answer go.
func TestNothingIsLost(t *testing.T) {
	names := rapid.SampledFrom([]string{
		"data", "answers", "fields", "value", "name", "label", "email", "phone", "company", "contact", "entry", "changes", "text", "answer",
		"question", "items", "reply", "note", "1.3", "first", "last", "area", "country", "day", "month", "year", "url", "filename", "other", "labels", "consent", "page_url", "utm_source",
	})
	rapid.Check(t, func(t *rapid.T) {
		n := 0
		var told []string
		var draw func(depth int) any
		draw = func(depth int) any {
			kind := 0
			if depth > 0 {
				kind = rapid.IntRange(0, 4).Draw(t, "kind")
			}
			switch kind {
			case 3:
				list := []any{}
				for range rapid.IntRange(1, 3).Draw(t, "len") {
					list = append(list, draw(depth-1))
				}
				return list
			case 4:
				object := map[string]any{}
				for range rapid.IntRange(1, 4).Draw(t, "len") {
					name := names.Draw(t, "name")
					if _, have := object[name]; !have {
						object[name] = draw(depth - 1)
					}
				}
				return object
			}
			n++
			value := rapid.SampledFrom([]string{"v%d", "a%d@b.example", "+49 30 5550 1%03d", "Your email %d", "https://x.example/%d"}).Draw(t, "value")
			value = fmt.Sprintf(value, n)
			told = append(told, value)
			return value
		}
		root := map[string]any{}
		for range rapid.IntRange(0, 5).Draw(t, "members") {
			name := names.Draw(t, "name")
			if _, have := root[name]; !have {
				root[name] = draw(4)
			}
		}
		raw, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse("application/json", "", raw)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for _, item := range f.Items {
			for _, l := range item.Leaves {
				said.WriteString(l.Path + "\n" + l.Key + "\n" + l.Label + "\n" + l.Value + "\n" + strings.Join(l.parents, "\n"))
			}
			nothingLost(t, item, Map(item, agreed{}, webSource))
		}
		for _, value := range told {
			// What is called a question may be one without an answer, or asked twice.
			question := strings.HasPrefix(value, "Your email") || strings.Contains(string(raw), `"label":"`+value) || strings.Contains(string(raw), `"question":"`+value)
			if question {
				continue
			}
			if len(f.Items) > 0 && !strings.Contains(said.String(), value) && !strings.Contains(said.String(), norm(value)) {
				t.Fatalf("%s of %s is lost", value, raw)
			}
		}
	})
}

// A mapping, whatever it says, loses nothing either, except what it ignores.
func TestNoMappingLosesAnything(t *testing.T) {
	paths := rapid.SampledFrom([]string{"email", "a", "a.b", "a[0]", "list", "list.k", "list.v", "header:x", "text", "nowhere", "^.list"})
	rapid.Check(t, func(t *rapid.T) {
		m := &intakev1.Mapping{}
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			m.Fields = append(m.Fields, &intakev1.FieldPath{
				Field: rapid.SampledFrom([]string{"email", "phone", "name", "company", "message", "own", "country", "page"}).Draw(t, "field"),
				Paths: rapid.SliceOfN(paths, 1, 3).Draw(t, "paths"), Separator: rapid.SampledFrom([]string{"", ";", ", "}).Draw(t, "separator"),
			})
		}
		if rapid.Bool().Draw(t, "items") {
			m.Items = paths.Draw(t, "items")
		}
		m.Id = rapid.SliceOfN(paths, 0, 2).Draw(t, "id")
		m.Embedded = rapid.SliceOfN(paths, 0, 2).Draw(t, "embedded")
		if rapid.Bool().Draw(t, "pairs") {
			m.Pairs = []*intakev1.PairList{{List: "list", Key: []string{"k"}, Value: rapid.SampledFrom([]string{"v", "@type", "k"}).Draw(t, "value")}}
		}
		src := &intakev1.SourceDeclared{Mapping: m, Version: 2}
		body := &intakev1.DeliveryBody{
			Raw:     []byte(`{"email":"a@b.example","a":{"b":"x; y; z"},"list":[{"k":"p","v":"+49 30 5550 1234","type":"v"},{"k":"q","v":"w, u"}],"text":"{\"in\":\"side\"}","a2":["1st","2nd"]}`),
			Headers: map[string]string{"x": "h"},
		}
		f, err := ParseDelivery(&intakev1.Delivery{ContentType: "application/json"}, body, src)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, item := range f.Items {
			mapped := Map(item, agreed{}, src)
			if len(item.Leaves) > 0 && mapped.Used != "+2" && settles(m) {
				t.Fatalf("used %q", mapped.Used)
			}
			nothingLost(t, item, mapped)
			for _, l := range item.Leaves {
				all.WriteString(l.Path + "=" + l.Value + "\n")
			}
		}
		for _, v := range []string{"a@b.example", "+49 30 5550 1234", "w, u", "2nd", "side", "x; y; z"} {
			have := strings.Contains(all.String(), v)
			for _, part := range []string{"; ", ", "} {
				if !have && strings.Contains(v, part) { // divided
					have = strings.Contains(all.String(), "="+v[:1]) && strings.Contains(all.String(), "="+v[len(v)-1:])
				}
			}
			if !have {
				t.Fatalf("%s is lost:\n%s", v, all.String())
			}
		}
	})
}
