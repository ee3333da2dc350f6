package intake

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// somebody is a likeness from "name; company; email; phone".
func somebody(line string) *Likeness {
	parts := append(strings.Split(line, ";"), "", "", "")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	email, _ := NormaliseEmail(parts[2])
	return LikenessOf(&leadv1.PersonalData{Name: parts[0], Company: parts[1], Email: parts[2], Phone: parts[3]}, email, parts[3], nil)
}

func TestAlike(t *testing.T) {
	const joins, asks, neither = "joins", "asks", "neither"
	for _, c := range []struct{ a, b, want, alike string }{
		// One person.
		{"Jane Smith; Acme GmbH; jane.smith@acme.example", "Jane Smith; ACME; jsmith@acme.example", joins, "name company"},
		{"Jane Smith; ; jane.smith@acme.example", "Smith, Jane; ; jsmith@acme.example", joins, "name company"},
		{"Jane Smith; Acme; jane@acme.example", "Jane Smith; Acme; jazzcat77@gmail.com", asks, "name company"},
		{"Jane Smith; ; jazzcat77@gmail.com", "Jane Smith; ; jazzcat77@web.de", joins, "name email"},
		{"Jane Smyth; Acme; ; +49 30 555 01234", "Jane Smith; Acme; ; 0049 30 555 01234", joins, "name company phone-tail"},
		{"Jane Smith; Acme; ; +49 30 555 01234", "Jane Smith; Acme; ; +49 30 555 01243", joins, "name company phone-tail"},
		{"Bob Miller; Acme Robotics", "Robert Miller; Acme", asks, "name company"},
		{"José García; Café Ñandú S.L.", "Jose Garcia; Cafe Nandu", joins, "name company"},
		{"Dr. Jane Smith; Acme", "Jane SMITH; Acme Ltd.", joins, "name company"},
		// Perhaps.
		{"Anna Schmidt; Acme; anna.schmidt@acme.example", "Anne Schmidt; Acme; anne.schmidt@acme.example", asks, "name company"},
		{"Jane Smith; Acme; ; +49 30 555 01234", "Jane Smith; Acme; ; +49 89 666 09876", asks, "name company"},
		{"J. Smith; Acme", "Jane Smith; Acme", asks, "name company"},
		{"Jane Smith; ; jane.smith@acme.example", "Jane Smith; ; jane.smith2@acme.example", asks, "name company"},
		{"Jane Smith; Acme; jane.smith@acme.example", "Jane Smith; Acme; jane.smith@acme-group.example", asks, "name company"},
		// Two.
		{"Jane Smith; Studio 54; jane@studio54.example", "Jane Smith; Studio 55; jane@studio55.example", neither, "name"},
		{"Ada Example1; Acme", "Ada Example2; Acme", neither, "company"},
		{"Jane Smith; Acme", "Jane Smith; Globex", neither, "name"},
		{"Jane Smith", "Jane Smith", neither, "name"},
		{"Jane Smith; ; jane.smith@gmail.com", "Jane Smith; ; jane.smith@web.de", neither, "name"},
		{"Jane Smith; Acme", "John Brown; Acme", neither, "company"},
		{"Jane Smith; Acme; info@acme.example", "John Brown; Acme; info@acme.example", neither, "company"},
		{"Jane Smith; ; ; +49 30 555 01234", "John Brown; ; ; +49 30 555 01234", neither, "phone-tail"},
		{"; Acme", "; Acme", neither, "company"},
		{"; ; info@acme.example", "; ; info@acme.example", neither, "company"},
		{"", "", neither, ""},
	} {
		a, b := somebody(c.a), somebody(c.b)
		sure, alike := Alike(a, b)
		got := neither
		switch {
		case sure >= JoinAt:
			got = joins
		case sure >= SuggestAt:
			got = asks
		}
		slices.Sort(alike)
		want := strings.Fields(c.alike)
		slices.Sort(want)
		for i := range alike {
			if alike[i] == "domain" {
				alike[i] = "company"
			}
		}
		if got != c.want || !slices.Equal(alike, want) {
			t.Errorf("%q and %q: %s, %d %% sure by %v; want %s by %v", c.a, c.b, got, sure, alike, c.want, want)
		}
		if got != neither && !slices.ContainsFunc(a.Blocks(), func(s string) bool { return slices.Contains(b.Blocks(), s) }) {
			t.Errorf("%q and %q share no block, so they are never compared: %v, %v", c.a, c.b, a.Blocks(), b.Blocks())
		}
	}
}

func TestAlikeIsALaw(t *testing.T) {
	names := rapid.SampledFrom([]string{"", "Jane Smith", "Jane Smyth", "Smith, Jane", "J Smith", "Bob Lee", "Robert Lee", "Ana", "山田太郎"})
	companies := rapid.SampledFrom([]string{"", "Acme", "Acme GmbH", "Acme Robotics", "Globex", "G"})
	emails := rapid.SampledFrom([]string{"", "jane.smith@acme.example", "js77@gmail.com", "info@globex.example", "js77+x@gmail.com"})
	phones := rapid.SampledFrom([]string{"", "+493055501234", "+493055501243", "030 5550", "+43155501234"})
	rapid.Check(t, func(r *rapid.T) {
		draw := func(label string) *Likeness {
			return somebody(strings.Join([]string{names.Draw(r, label), companies.Draw(r, label), emails.Draw(r, label), phones.Draw(r, label)}, ";"))
		}
		a, b := draw("a"), draw("b")
		ab, alike := Alike(a, b)
		ba, ekila := Alike(b, a)
		if ab != ba || !slices.Equal(alike, ekila) {
			r.Fatalf("%+v and %+v: %d by %v one way, %d by %v the other", a, b, ab, alike, ba, ekila)
		}
		if ab < 0 || ab > 99 {
			r.Fatalf("%d percent sure", ab)
		}
		raw := a.seal()
		if raw == nil {
			return
		}
		back, ok := opened(raw)
		if again, _ := Alike(back, b); !ok || again != ab {
			r.Fatalf("%+v was kept as %s, and is %d %% like what it was %d %% like before", a, raw, again, ab)
		}
	})
}

func TestSimilarAndDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"martha", "marhta", 960}, {"dixon", "dicksonx", 812}, {"same", "same", 1000}, {"abc", "xyz", 0}, {"", "a", 0}} {
		if got := similar(c.a, c.b); got < c.want-3 || got > c.want+3 {
			t.Errorf("similar(%q, %q) = %d, want about %d", c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"1234567", "1234567", 0}, {"1234567", "1234568", 1}, {"1234567", "1234576", 1}, {"1234567", "123456", 1}, {"1234567", "12345670", 1}, {"1234567", "7654321", 2}, {"1234567", "12345", 2}, {"1234567", "1254367", 2}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != got {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSound(t *testing.T) {
	for name, want := range map[string]string{"smith": "s53", "smyth": "s53", "schmidt": "s53", "robert": "r163", "rupert": "r163", "ashcraft": "a261", "lee": "l", "": "", "山田": "山田"} {
		if got := sound(name); got != want {
			t.Errorf("sound(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestFindDuplicates(t *testing.T) {
	record := func(truth, name, company, email, phone string) Candidate {
		return Candidate{Truth: truth, Personal: &leadv1.PersonalData{Name: name, Company: company, Email: email, Phone: phone}}
	}
	d := FindDuplicates([]Candidate{
		record("1", "Jane Smith", "Acme", "jane@acme.example", ""),
		record("1", "Jane Smith", "Acme GmbH", "jane+news@acme.example", ""), // by address
		record("1", "Jane Smith", "Acme", "", ""),                            // alike
		record("2", "Jane Smyth", "Acme", "", "+49 30 5550 1234"),            // asked
		record("3", "John Brown", "Globex", "", ""),
		record("3", "John Bruckner", "Initech", "", ""), // missed
	}, nil)
	want := Dedupe{Records: 6, Persons: 4, TruePairs: 4, Exact: Pairs{1, 1}, Joined: Pairs{3, 3}, Suggested: Pairs{1, 0}}
	if *d != want {
		t.Errorf("got %+v, want %+v", *d, want)
	}
	if d.Recall(d.Joined) != 750 || d.Suggested.Precision() != 0 || d.Joined.Precision() != 1000 || (Pairs{}).Precision() != 1000 {
		t.Errorf("recall %d, precision %d", d.Recall(d.Joined), d.Suggested.Precision())
	}
}
