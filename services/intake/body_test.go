package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadbaton/baton/services/internal/fault"
)

// said are the leaves of one item as "path|key|label=value".
func said(item Item) []string {
	var out []string
	for _, l := range item.Leaves {
		s := l.Path
		if l.Key != l.Path {
			s += " " + l.Key
		}
		if l.Label != "" {
			s += " (" + l.Label + ")"
		}
		out = append(out, s+"="+l.Value)
	}
	return out
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, contentType, query, body string
		want                           [][]string
		notes                          []string
	}{
		{
			name: "flat JSON", contentType: "application/json",
			body: `{"email":"a@b.example","n":1,"t":true,"x":null}`,
			want: [][]string{{"email=a@b.example", "n=1", "t=true"}},
		},
		{
			name: "JSON that a command line called urlencoded", contentType: typeURLEncoded,
			body: ` {"email":"a@b.example"}`,
			want: [][]string{{"email=a@b.example"}},
		},
		{
			name: "JSON without a type, with a byte order mark", body: "\xef\xbb\xbf{\"email\":\"a@b.example\"}",
			want: [][]string{{"email=a@b.example"}},
		},
		{
			name: "JSON of another type", contentType: "application/vnd.tool.v1+json; charset=utf-8",
			body: `{"a":{"b.c":["x","y"]}}`,
			want: [][]string{{`a."b.c"[0] b.c=x`, `a."b.c"[1] b.c=y`}},
		},
		{
			name: "numbers keep their spelling", contentType: "application/json",
			body: `{"id":9007199254740993,"big":1e400,"f":1.10}`,
			want: [][]string{{"id=9007199254740993", "big=1e400", "f=1.10"}},
		},
		{
			name: "duplicate keys", contentType: "application/json", body: `{"a":"1","b":"2","a":"3"}`,
			want: [][]string{{"a=3", "b=2"}}, notes: []string{noteDuplicate},
		},
		{
			name: "NUL and half a character", contentType: "application/json", body: `{"a":"x\u0000y","b":"\ud800","c":"\ud83d\ude00","d":"\\ud800"}`,
			want: [][]string{{"a=xy", "b=\uFFFD", "c=😀", `d=\ud800`}}, notes: []string{noteNUL, noteSurrogate},
		},
		{
			name: "keys that mean something elsewhere are only data", contentType: "application/json", body: `{"__proto__":"1","constructor":{"x":"2"}}`,
			want: [][]string{{"__proto__=1", "constructor.x x=2"}},
		},
		{
			name: "a list of people", contentType: "application/json", body: `[{"name":"A","email":"a@b.example"},{"name":"B","email":"c@d.example"}]`,
			want: [][]string{{"name=A", "email=a@b.example"}, {"name=B", "email=c@d.example"}},
		},
		{name: "an empty list", contentType: "application/json", body: `[]`},
		{name: "null", contentType: "application/json", body: `null`},
		{name: "a bare text", contentType: "application/json", body: `"call me"`, want: [][]string{{"message=call me"}}},
		{
			name: "a list of pairs at the root", contentType: "application/json", body: `[{"name":"email","value":"a@b.example"},{"name":"company","value":"Acme"}]`,
			want: [][]string{{"email=a@b.example", "company=Acme"}},
		},
		{
			name: "name and value", contentType: "application/json", body: `{"fields":[{"objectTypeId":"0-1","name":"email","value":"a@b.example"},{"objectTypeId":"0-1","name":"notes","value":null}]}`,
			want: [][]string{{"fields.email email=a@b.example"}},
		},
		{
			name: "values named by their type, labels beside", contentType: "application/json",
			body: `{"form_response":{"definition":{"fields":[{"id":"q1","title":"Your work email?","ref":"mail"},{"id":"q2","title":"Cities"}]},
				"answers":[{"type":"email","email":"a@b.example","field":{"id":"q1","type":"email","ref":"mail"}},
				{"type":"choices","choices":{"labels":["Bonn","Ulm"]},"field":{"id":"q2"}},
				{"type":"choice","choice":{"label":"Red"},"field":{"id":"q3"}},
				{"type":"boolean","boolean":true,"field":{"id":"q4"}}]}}`,
			want: [][]string{{
				"form_response.answers.mail mail (Your work email?)=a@b.example",
				"form_response.answers.q2[0] q2 (Cities)=Bonn", "form_response.answers.q2[1] q2 (Cities)=Ulm",
				"form_response.answers.q3 q3=Red", "form_response.answers.q4 q4=true",
			}},
		},
		{
			name: "column id and string value", contentType: "application/json",
			body: `{"lead_id":"L1","user_column_data":[{"column_name":"User Email","string_value":"a@b.example","column_id":"EMAIL"}],"form_id":349080077126}`,
			want: [][]string{{"lead_id=L1", "user_column_data.EMAIL EMAIL (User Email)=a@b.example", "form_id=349080077126"}},
		},
		{
			name: "key, label and option ids", contentType: "application/json",
			body: `{"data":{"submissionId":"s","fields":[{"key":"question_1","label":"Email","type":"INPUT_EMAIL","value":"a@b.example"},
				{"key":"question_2","label":"Colour","type":"CHECKBOXES","value":["o2"],"options":[{"id":"o1","text":"Red"},{"id":"o2","text":"Blue"}]},
				{"key":"question_2_o2","label":"Colour (Blue)","type":"CHECKBOXES","value":true}]}}`,
			want: [][]string{{"data.submissionId submissionId=s", "data.fields.question_1 question_1 (Email)=a@b.example", "data.fields.question_2[0] question_2 (Colour)=Blue"}},
		},
		{
			name: "values in lists", contentType: "application/json", body: `{"field_data":[{"name":"email","values":["a@b.example"]}]}`,
			want: [][]string{{"field_data.email[0] email=a@b.example"}},
		},
		{
			name: "question and answer", contentType: "application/json", body: `{"payload":{"questions_and_answers":[{"question":"Topic?","answer":"Price","position":0}]}}`,
			want: [][]string{{"payload.questions_and_answers.Topic? Topic?=Price"}},
		},
		{
			name: "question id and nested answer", contentType: "application/json", body: `{"answers":[{"questionId":20502584796,"answerDetails":{"textQuestionAnswer":{"answer":"a@b.example"}}}]}`,
			want: [][]string{{"answers.20502584796 20502584796=a@b.example"}},
		},
		{
			name: "boxed values with their history", contentType: "application/json", body: `{"properties":{"email":{"value":"a@b.example","versions":[{"value":"old@b.example"}]}}}`,
			want: [][]string{{"properties.email email=a@b.example"}},
		},
		{
			name: "a feed of changes", contentType: "application/json",
			body: `{"entry":[{"changes":[{"value":{"leadgen_id":1}},{"value":{"leadgen_id":2}}]},{"changes":[{"value":{"leadgen_id":3}}]}]}`,
			want: [][]string{{"value.leadgen_id leadgen_id=1"}, {"value.leadgen_id leadgen_id=2"}, {"value.leadgen_id leadgen_id=3"}},
		},
		{
			name: "urlencoded with nesting and repeats", contentType: typeURLEncoded,
			body: "a=1&b%5B%5D=x&b[]=y&c[d][e]=z+%26&f=1&f=2&blank=",
			want: [][]string{{"a=1", "b[0] b=x", "b[1] b=y", "c.d.e e=z &", "f[0] f=1", "f[1] f=2", "blank="}},
		},
		{
			name: "brackets that do not nest", contentType: typeURLEncoded, body: "a=1&a[b]=2&c[=3&d]=4&e[x]y=5",
			want:  [][]string{{"a=1", `"a[b]" a[b]=2`, `"c[" c[=3`, `"d]" d]=4`, `"e[x]y" e[x]y=5`}},
			notes: []string{noteNesting},
		},
		{
			name: "a lone percent sign, bytes that are not UTF-8", contentType: typeURLEncoded, body: "a=100%&b=%ff%zz",
			want: [][]string{{"a=100%", "b=\uFFFD%zz"}}, notes: []string{noteEscape, noteUTF8},
		},
		{
			name: "a legacy charset", contentType: typeURLEncoded + "; charset=ISO-8859-1", body: "name=Zo%EB&price=%80",
			want: [][]string{{"name=Zoë", "price=€"}},
		},
		{
			name: "an unknown charset", contentType: typeURLEncoded + "; charset=klingon", body: "a=1",
			want: [][]string{{"a=1"}}, notes: []string{noteCharset},
		},
		{
			name: "boxed fields in brackets", contentType: typeURLEncoded,
			body: "fields%5Bf1%5D%5Bid%5D=f1&fields%5Bf1%5D%5Btype%5D=tel&fields%5Bf1%5D%5Btitle%5D=Phone&fields%5Bf1%5D%5Bvalue%5D=123&fields%5Bf1%5D%5Braw_value%5D=1-2-3&fields%5Bf1%5D%5Brequired%5D=1",
			want: [][]string{{"fields.f1 f1 (Phone)=123"}},
		},
		{
			name: "JSON inside a field", contentType: typeURLEncoded, body: "page=p&data.json=" + `{"email":["a@b.example"]}`,
			want: [][]string{{"page=p", `"data.json".email[0] email=a@b.example`}},
		},
		{
			name: "text", contentType: "text/plain", body: "Hello, World!",
			want: [][]string{{"message=Hello, World!"}}, notes: []string{noteText},
		},
		{
			name: "text that is called urlencoded", contentType: typeURLEncoded, body: "Hello, World!",
			want: [][]string{{"message=Hello, World!"}}, notes: []string{noteText},
		},
		{
			name: "text that only begins like JSON", contentType: "text/plain", body: "{ not JSON",
			want: [][]string{{"message={ not JSON"}}, notes: []string{noteText},
		},
		{
			name: "an unknown type", contentType: "image/png", body: "\x89PNG\x00",
			want: [][]string{{"message=\uFFFDPNG"}}, notes: []string{noteUTF8, noteNUL, noteText},
		},
		{
			name: "a query beside the body", contentType: "application/json", query: "utm_source=ad&token=s3cret", body: `{"email":"a@b.example"}`,
			want: [][]string{{"email=a@b.example", "utm_source=ad"}},
		},
		{name: "a query alone", query: "email=a@b.example", want: [][]string{{"email=a@b.example"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.contentType, tt.query, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			var leaves [][]string
			for _, item := range got.Items {
				leaves = append(leaves, said(item))
				if diff := cmp.Diff(tt.notes, item.Notes); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(tt.want, leaves); diff != "" {
				t.Errorf("leaves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMultipart(t *testing.T) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, kv := range [][2]string{{"email", "a@b.example"}, {"interests", "Price"}, {"interests", "Safety"}, {"website", ""}} {
		if err := w.WriteField(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.CreateFormFile("brief", "../../etc/brief.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("%PDF-1.4 content")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="blank"; filename=""`}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Parse(w.FormDataContentType(), "", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"email=a@b.example", "interests[0] interests=Price", "interests[1] interests=Safety", "website=", "brief=brief.pdf (application/octet-stream, 16 bytes)"}
	if diff := cmp.Diff(want, said(got.Items[0])); diff != "" {
		t.Error(diff)
	}
	last := got.Items[0].Leaves[len(got.Items[0].Leaves)-1]
	if last.Type != "file" {
		t.Errorf("type of the file = %q", last.Type)
	}
	for _, l := range got.Items[0].Leaves {
		if strings.Contains(l.Value, "PDF-1.4") {
			t.Error("the file's content was kept")
		}
	}
}

func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxKey+1)
	tests := []struct{ name, contentType, body, want string }{
		{"empty", "application/json", "", "empty"},
		{"blank", "text/plain", " \r\n\t", "empty"},
		{"cut off", "application/json", `{"email":"a@b`, "broken JSON"},
		{"cut off, called urlencoded", typeURLEncoded, `{"email":`, "broken JSON"},
		{"no JSON", "application/json", "nonsense", "broken JSON"},
		{"a comma too many", "application/json", `{"a":1,}`, "broken JSON"},
		{"a second value", "application/json", `{"a":1} {"b":2}`, "follows"},
		{"rubbish behind", "application/json", `{"a":1}x`, "follows"},
		{"not UTF-8", "application/json", "{\"a\":\"\xff\"}", "not UTF-8, the first at byte 6"},
		{"depth 33", "application/json", strings.Repeat("[", 33) + strings.Repeat("]", 33), "deeper"},
		{"depth 100,000 of lists", "application/json", strings.Repeat("[", 100_000), "deeper"},
		{"depth 100,000 of objects", "application/json", strings.Repeat(`{"a":`, 100_000), "deeper"},
		{"depth 100,000, called urlencoded", typeURLEncoded, strings.Repeat("[", 100_000), "deeper"},
		{"brackets 33 deep", typeURLEncoded, "a" + strings.Repeat("[b]", 33) + "=1", "deeper"},
		{"a long key in JSON", "application/json", `{"` + long + `":1}`, "512"},
		{"a long key in a form", typeURLEncoded, long + "=1", "512"},
		{"too many leaves", "application/json", `{"a":[` + strings.Repeat("1,", MaxLeaves) + `1]}`, "more than 2000 fields"},
		{"too many form fields", typeURLEncoded, strings.Repeat("a=1&", MaxLeaves+1), "more than 2000 fields"},
		{"too many items", "application/json", "[" + strings.Repeat("{},", MaxItems) + "{}]", "more than 1000 submissions"},
		{"too many values", "application/json", "[" + strings.Repeat("{},", maxNodes) + "{}]", "more than 50000 values"},
		{"too long", "application/json", strings.Repeat(" ", MaxBody) + "1", "longer than"},
		{"multipart without boundary", "multipart/form-data", "x", "boundary"},
		{"multipart that ends early", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nxyz", "broken multipart at part 1"},
		{"multipart that is none", "multipart/form-data; boundary=b", "hello", "broken multipart at part 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.contentType, "", []byte(tt.body))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

func TestParseAtTheLimits(t *testing.T) {
	for name, body := range map[string]string{
		"depth":  strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
		"key":    `{"` + strings.Repeat("x", MaxKey) + `":1}`,
		"leaves": `{"a":[` + strings.Repeat("1,", MaxLeaves-1) + `1]}`,
		"items":  "[" + strings.Repeat("{},", MaxItems-1) + "{}]",
		"size":   `"` + strings.Repeat("x", MaxBody-2) + `"`,
	} {
		if _, err := Parse("application/json", "", []byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextOfKnownSender(t *testing.T) {
	text := []byte("Hello, World!")
	if _, err := Parse("application/json", "", text); err == nil {
		t.Error("text under a JSON type was taken from a stranger")
	}
	got, err := parse(request{contentType: "application/json", raw: text, signed: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"message=Hello, World!"}, said(got.Items[0])); diff != "" {
		t.Error(diff)
	}
	if _, err := parse(request{contentType: "application/json", raw: []byte(`{"a":`), signed: true}, nil); err == nil {
		t.Error("JSON that is cut off was taken")
	}
}

// Messages must not repeat what a stranger sent: they are logged and answered.
func TestParseFaultsQuoteNothing(t *testing.T) {
	const secret = "SECRET"
	for _, body := range []string{`{"a":SECRET}`, `{"a":"SECRET"`, `{SECRET:1}`, "{\"a\":\"SECRET\xff\"}", `{"a":1}SECRET`} {
		_, err := Parse("application/json", "", []byte(body))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Parse(%q) = %v", body, err)
		}
	}
}

// What Parse takes as JSON, the standard library takes too, and the other way
// round within the limits.
func TestParseAgreesWithTheStandardLibrary(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[any] { return jsonValue(4) })
	rapid.Check(t, func(t *rapid.T) {
		b, err := json.Marshal(value.Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		// Damage some of them.
		if rapid.Bool().Draw(t, "damage") && len(b) > 0 {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			b[at] = rapid.SampledFrom([]byte(`{}[],:"x1 `)).Draw(t, "with")
		}
		_, err = parseJSON(b)
		if valid := json.Valid(b) && utf8.Valid(b); valid != (err == nil) {
			t.Fatalf("%q: valid %v, err %v", b, json.Valid(b), err)
		}
	})
}

func jsonValue(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Map(rapid.StringN(0, 8, 16), func(s string) any { return s }),
		rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
	)
	if depth == 0 {
		return leaf
	}
	inner := jsonValue(depth - 1)
	return rapid.OneOf(
		leaf,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(s []any) any { return s }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"name", "value", "type", "answers", "entry", "changes", "label", "id", "fields", "data"}), inner, 0, 4), func(m map[string]any) any { return m }),
	)
}

// Big objects use an index; small ones do not. Both must agree.
func TestDuplicateKeysInBigObjects(t *testing.T) {
	var b strings.Builder
	b.WriteString("{")
	for i := range 100 {
		fmt.Fprintf(&b, `"k%d":"first",`, i)
	}
	b.WriteString(`"k3":"last","k99":"last"}`)
	got, err := Parse("application/json", "", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	item := got.Items[0]
	if len(item.Leaves) != 100 || !slices.Contains(item.Notes, noteDuplicate) {
		t.Fatalf("%d leaves, notes %v", len(item.Leaves), item.Notes)
	}
	for i, l := range item.Leaves {
		want := "first"
		if i == 3 || i == 99 {
			want = "last"
		}
		if l.Key != fmt.Sprintf("k%d", i) || l.Value != want {
			t.Errorf("leaf %d = %s=%s", i, l.Key, l.Value)
		}
	}
}
