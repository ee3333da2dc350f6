package agreement

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func TestWord(t *testing.T) {
	a := good(t)
	cases := []struct{ list, text, want string }{
		{Roles, "CEO", "executive"},
		{Roles, "  Founder & C.E.O ", ""},
		{Roles, "Founder, CEO", "executive"},
		{Roles, "Assistant to the CEO", "assistant"},
		{Roles, "Managing-Director", "executive"},
		{Roles, "Head of Procurement", "buyer"},
		{Roles, "buyers", ""},
		{Roles, "oceology", ""},
		{Roles, "", ""},
		{Roles, "!?", ""},
		{Industries, "IT Services", "software"},
		{Industries, "it-services (SaaS)", "software"},
		{Industries, "Retail", "retail"},
		{Products, "ERP", "erp"},
		{"colours", "red", ""},
	}
	for _, c := range cases {
		got, ok := a.Word(c.list, c.text)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Word(%q, %q) = %q, %v, want %q", c.list, c.text, got, ok, c.want)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Geschäftsführer": " geschaftsfuhrer ", "ﬁnance": " finance ", "E-Commerce": " e commerce ", "a  b": " a b ", "…": " ",
	} {
		if got := fold(in); got != want {
			t.Errorf("fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	a := good(t)
	flag := func(b bool) *leadv1.Value { return &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: b}} }
	cases := []struct {
		key, value, id string
		want           *leadv1.Value
	}{
		{"when-do_you want to START", "ASAP", "timeframe", word("now")},
		{"timeframe", "later", "timeframe", word("later")},
		{"timeframe", "maybe later", "", nil},
		{"Budget", "12,500.50", "budget", number(1_250_050)},
		{"budget", "12.500,50 eur", "budget", number(1_250_050)},
		{"budget", "12 500", "budget", number(1_250_000)},
		{"budget", "1.000", "budget", number(100_000)},
		{"budget", "1.000.000", "budget", number(100_000_000)},
		{"budget", "-5", "budget", number(-500)},
		{"budget", "0.500", "budget", number(50)},
		{"budget", "0.505", "", nil},
		{"budget", "1.00.0", "", nil},
		{"budget", "1,2,3", "", nil},
		{"budget", "lots", "", nil},
		{"budget", "", "", nil},
		{"budget", "99999999999999999999", "", nil},
		{"newsletter", "on", "newsletter", flag(true)},
		{"newsletter", "No", "newsletter", flag(false)},
		{"newsletter", "perhaps", "", nil},
		{"comment", "anything", "", nil},
	}
	for _, c := range cases {
		id, v, ok := a.Answer(c.key, c.value)
		if id != c.id || ok != (c.id != "") {
			t.Errorf("Answer(%q, %q) = %q, %v, want %q", c.key, c.value, id, ok, c.id)
		}
		if diff := cmp.Diff(c.want, v, protocmp.Transform()); diff != "" {
			t.Errorf("Answer(%q, %q) (-want +got):\n%s", c.key, c.value, diff)
		}
	}
}

// TestNumbersRoundTrip holds that what is shown is what was read.
func TestNumbersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-1<<52, 1<<52).Draw(t, "n")
		// With three places "1.234" means two things, and is refused.
		scale := rapid.SampledFrom([]int{0, 1, 2, 4, 6}).Draw(t, "scale")
		text := formatScaled(n, scale)
		got, ok := parseNumber(text, "", scale)
		if !ok || got != n {
			t.Fatalf("%d is shown as %s and read as %d, %v", n, text, got, ok)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	a := good(f)
	f.Add("budget", "12,500.50")
	f.Add("timeframe", "now")
	f.Add("", "\xff")
	f.Fuzz(func(t *testing.T, key, value string) {
		id, v, ok := a.Answer(key, value)
		if ok != (id != "") || ok != (v != nil) {
			t.Errorf("Answer(%q, %q) = %q, %v, %v", key, value, id, v, ok)
		}
		if w, ok := a.Word(Roles, value); ok && !a.roles.has(w) {
			t.Errorf("%q is no agreed role", w)
		}
	})
}
