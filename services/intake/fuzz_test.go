package intake

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func seeds(f *testing.F) {
	for _, s := range [][3]string{
		{"application/json", "", `{"email":"a@b.example","fields":[{"name":"phone","value":"+493055501234"}],"n":1e999}`},
		{"application/json", "utm_source=x", `[{"id":1},{"properties":{"email":{"value":"a@b.c","versions":[{"value":"x"}]}}}]`},
		{"application/json", "", `{"answers":[{"type":"email","email":"a@b.c","field":{"ref":"r"}}],"definition":{"fields":[{"id":"r","title":"T"}]}}`},
		{"application/json", "", `{"entry":[{"changes":[{"value":{"leadgen_id":1}}]}],"a":"\ud800\u0000"}`},
		{typeURLEncoded, "a=b", "a[b][c]=1&a[]=2&a=3&x%5B%5D=%zz&data.json=%7B%22a%22%3A1%7D"},
		{"text/plain; charset=iso-8859-1", "", "Hello, \xe4"},
		{"multipart/form-data; boundary=b", "", "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x\"\r\n\r\nv\r\n--b--\r\n"},
	} {
		f.Add(s[0], s[1], []byte(s[2]))
	}
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, contentType, query string, raw []byte) {
		got, err := Parse(contentType, query, raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		if len(got.Items) > MaxItems {
			t.Fatalf("%d items", len(got.Items))
		}
		for _, item := range got.Items {
			if len(item.Leaves) > MaxLeaves {
				t.Fatalf("%d leaves", len(item.Leaves))
			}
			for _, l := range item.Leaves {
				for _, s := range []string{l.Path, l.Key, l.Label, l.Type, l.Value} {
					if !utf8.ValidString(s) || bytes.IndexByte([]byte(s), 0) >= 0 {
						t.Fatalf("%q cannot be stored", s)
					}
				}
			}
		}
		if _, err := parse(request{contentType: contentType, query: query, raw: raw, signed: true}, nil); err != nil {
			t.Fatalf("a signature made it unreadable: %v", err)
		}
	})
}

func FuzzMap(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, contentType, query string, raw []byte) {
		got, err := Parse(contentType, query, raw)
		if err != nil {
			return
		}
		for _, item := range got.Items {
			a, b := Map(item, agreed{}, webSource), Map(item, agreed{}, webSource)
			if !proto.Equal(a.Submission, b.Submission) || a.Email != b.Email || a.Phone != b.Phone || a.Spam != b.Spam {
				t.Fatal("the same item maps differently")
			}
			if _, err := proto.Marshal(a.Submission); err != nil {
				t.Fatal(err)
			}
			features := a.Submission.GetFeatures()
			if (a.Email != "") != features.GetHasEmail() || (a.Phone != "") != features.GetHasPhone() {
				t.Fatalf("features disagree with the addresses: %v", features)
			}
			if a.NeedsMapping && a.Phone != "" {
				t.Fatal("somebody who can be reached needs mapping")
			}
			if n := features.GetEmployees(); n < 0 || n > maxEmployees {
				t.Fatalf("%d employees", n)
			}
			if c := features.GetCountry(); c != "" && (len(c) != 2 || c[0] < 'A' || c[1] > 'Z') {
				t.Fatalf("country %q", c)
			}
			if len(a.Submission.GetExternalId()) > MaxKey {
				t.Fatal("the external id is too long")
			}
			at := features.GetAttribution()
			for _, s := range []string{at.GetSource(), at.GetMedium(), at.GetCampaign(), at.GetTerm(), at.GetContent()} {
				if utf8.RuneCountInString(s) > 64 || bytes.IndexByte([]byte(s), '@') >= 0 {
					t.Fatalf("attribution %q", s)
				}
			}
			if a.Email != "" {
				if again, ok := NormaliseEmail(a.Email); !ok || again != a.Email {
					t.Fatalf("%q normalises to %q", a.Email, again)
				}
			}
		}
	})
}

// What is read as JSON is what the standard library reads.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,true,false,null,"\u00e9\ud83d\ude00\ud800x\n"],"a":{}}`, `[[],{}, "" ]`, ` "x" `, `01`, `1.`, `"\x"`, `{"a" 1}`, `[1,]`, "\"\x01\"", `nulls`, `-`, `"\ud83d\u0041"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := scanner{}
		root, err := s.scan(raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			limit := strings.Contains(err.Error(), "deeper") || strings.Contains(err.Error(), "more than") || strings.Contains(err.Error(), "longer than")
			if !limit && utf8.Valid(raw) && json.Valid(raw) {
				t.Fatalf("%q was refused: %v", raw, err)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil || !json.Valid(raw) {
			t.Fatalf("%q was taken: %v", raw, err)
		}
		if got := plainly(root); !bytes.Contains(raw, []byte(`\u0000`)) && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, want %v", raw, got, want)
		}
	})
}

// plainly is a tree as the standard library gives it.
func plainly(n *node) any {
	switch n.kind {
	case kindObject:
		out := map[string]any{}
		for _, m := range n.members {
			out[m.name] = plainly(m.value)
		}
		return out
	case kindArray:
		out := []any{}
		for _, el := range n.list {
			out = append(out, plainly(el))
		}
		return out
	case kindNumber:
		return json.Number(n.text)
	case kindFlag:
		return n.text == "true"
	case kindNull:
		return nil
	}
	return n.text
}

// A mapping that somebody wrote badly reads a body badly, and never breaks.
func FuzzMapping(f *testing.F) {
	f.Add(`{"a":{"b":[{"k":"x","v":"a@b.example"}]}}`, "a.b", "k", "@type", "a.b[0].v", ";")
	f.Add(`[{"data":"{\"email\":1}"}]`, `"da`, "^.x", "data", "header:x|data", "")
	f.Fuzz(func(t *testing.T, raw, one, two, three, four, separator string) {
		m := &intakev1.Mapping{
			Items: four, Id: []string{one + "|" + four, two}, Event: three, Events: map[string]string{two: "update"}, Embedded: []string{one},
			Pairs:    []*intakev1.PairList{{List: one, Key: []string{two}, Label: three, Type: two, Value: four}, {List: two, Value: "@type"}},
			Fields:   []*intakev1.FieldPath{{Field: "email", Paths: []string{four, one}, Separator: separator}, {Field: "own", Paths: []string{two}}, {Field: "name", Paths: []string{three}}},
			Tests:    []*intakev1.TestMark{{Path: one, Value: two}, {Path: three}},
			Consents: []*intakev1.ConsentPath{{Purpose: "p", Path: four, Text: one}},
		}
		src := &intakev1.SourceDeclared{Mapping: m}
		got, err := ParseDelivery(&intakev1.Delivery{ContentType: "application/json"}, &intakev1.DeliveryBody{Raw: []byte(raw), Headers: map[string]string{"x": "h"}}, src)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		for _, item := range got.Items {
			mapped := Map(item, agreed{}, src)
			nothingLost(t, item, mapped)
			if _, err := proto.Marshal(mapped.Submission); err != nil {
				t.Fatal(err)
			}
			for _, l := range Suggest(item, mapped) {
				if !utf8.ValidString(l.GetValue()) {
					t.Fatalf("%q is shown", l.GetValue())
				}
			}
		}
	})
}
