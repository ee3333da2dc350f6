package intake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

var atNoon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// submitted is a submission of somebody.
func submitted(p *leadv1.PersonalData) Mapped {
	return Mapped{Submission: &intakev1.Submission{Personal: p}}
}

func TestEmailKey(t *testing.T) {
	for email, want := range map[string]string{
		"ana@b.example":               "ana@b.example",
		"ana+news@b.example":          "ana@b.example",
		"a.na@b.example":              "a.na@b.example",
		"A.N.A@gmail.com":             "ana@gmail.com",
		"a.n.a+x@googlemail.com":      "ana@gmail.com",
		"+49@b.example":               "+49@b.example",
		"ana+@b.example":              "ana@b.example",
		"ana+a+b@xn--bcher.example":   "ana@xn--bcher.example",
		"o'brien+1@mail.b.co.example": "o'brien@mail.b.co.example",
		"":                            "",
	} {
		if got := EmailKey(strings.ToLower(email)); got != want {
			t.Errorf("EmailKey(%q) = %q, want %q", email, got, want)
		}
	}
}

// The source's region comes first, the person's country after it.
func TestPhoneRegions(t *testing.T) {
	for _, c := range []struct{ typed, source, country, want string }{
		{"030 5550 1234", "DE", "", "+493055501234"},
		{"030 5550 1234", "", "DE", "+493055501234"},
		{"(650) 253-0000", "US", "DE", "+16502530000"},
		{"06 12 34 56 78", "US", "FR", "+33612345678"},
		{"+43 1 5550123", "DE", "US", "+4315550123"},
		{"030 5550 1234", "", "", ""},
	} {
		if got, _, _ := NormalisePhone(c.typed, c.source, c.country); got != c.want {
			t.Errorf("%q at a source in %q, from %q: %q, want %q", c.typed, c.source, c.country, got, c.want)
		}
	}
}

func TestZoneCountry(t *testing.T) {
	for zone, want := range map[string]string{
		"Europe/Berlin": "DE", "europe/vienna": "AT", "America/New_York": "US", "US/Pacific": "US", "Asia/Calcutta": "IN", "Asia/Kolkata": "IN",
		"Europe/Kiev": "UA", "Europe/Oslo": "NO", "Atlantic/Jan_Mayen": "SJ", "Africa/Timbuktu": "ML", "America/Argentina/Buenos_Aires": "AR",
		"UTC": "", "Etc/GMT-1": "", "CET": "", "GMT": "", "": "", "#": "", "DE": "",
	} {
		if got, ok := ZoneCountry(zone); got != want || ok != (want != "") {
			t.Errorf("ZoneCountry(%q) = %q, %v; want %q", zone, got, ok, want)
		}
	}
	// Every zone that the program can reckon with lies where it says.
	for zone, code := range zoneCountries() {
		if len(code) != 2 || code != strings.ToUpper(code) {
			t.Errorf("%s lies in %q", zone, code)
		}
		if _, err := time.LoadLocation(properZone(zone)); err != nil {
			t.Errorf("there is no zone %s", zone)
		}
	}
}

// properZone finds a zone's own spelling, which file names need.
func properZone(lower string) string {
	for _, word := range strings.Fields(zonesText) {
		if strings.ToLower(word) == lower {
			return word
		}
	}
	return lower
}

func TestRegistrableDomain(t *testing.T) {
	for host, want := range map[string]string{
		"example.com": "example.com", "mail.example.com": "example.com", "a.b.example.co.uk": "example.co.uk", "BÜCHER.example": "xn--bcher-kva.example",
		"co.uk": "", "com": "", "": "", ".example.com": "", "a..b": "", "user.github.io": "user.github.io",
	} {
		if got, ok := RegistrableDomain(host); got != want || ok != (want != "") {
			t.Errorf("RegistrableDomain(%q) = %q, %v; want %q", host, got, ok, want)
		}
	}
}

func TestDomains(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	d, err := LoadDomains(file("disposable", "# ours\nThrown.example // away\n\n"), file("free.json", `["free.example","thrown.example","gmail.com"]`))
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string][2]bool{ // disposable, free
		"thrown.example": {true, false}, "eu.thrown.example": {true, false}, "mailinator.com": {true, false}, "a.mailinator.com": {true, false},
		"free.example": {false, true}, "gmail.com": {false, true}, "b.example": {false, false}, "notmailinator.com": {false, false},
	} {
		if got := [2]bool{d.Disposable(domain), d.Free(domain)}; got != want {
			t.Errorf("%s: disposable and free are %v, want %v", domain, got, want)
		}
	}
	if got := d.CompanyDomain("ana@mail.acme.co.uk"); got != "acme.co.uk" {
		t.Errorf("the company's domain is %q", got)
	}
	for _, email := range []string{"ana@gmail.com", "ana@thrown.example", "ana@x.free.example"} {
		if got := d.CompanyDomain(email); got != "" {
			t.Errorf("%s is taken for an address of the company %q", email, got)
		}
	}
	for text, kind := range map[string]fault.Kind{"[1]": fault.Invalid, "no domain at all\n": fault.Invalid, `["a b"]`: fault.Invalid} {
		if _, err := LoadDomains(file("bad", text), ""); !fault.Is(err, kind) {
			t.Errorf("the list %q gives %v", text, err)
		}
	}
	if _, err := LoadDomains(filepath.Join(dir, "none"), ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("a list that is not there gives %v", err)
	}
}

func TestComplete(t *testing.T) {
	other := func(pairs ...string) (out []*leadv1.Answer) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, &leadv1.Answer{Key: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	berlin := &intakev1.SourceDeclared{Region: "DE"}
	for name, c := range map[string]struct {
		personal  *leadv1.PersonalData
		features  *leadv1.Features
		source    *intakev1.SourceDeclared
		want      Mapped
		features2 *leadv1.Features
	}{
		"by the source's region": {
			personal: &leadv1.PersonalData{Email: " Ana@B.example ", Phone: "030 5550 1234", Company: "B"}, source: berlin,
			want:      Mapped{Email: "ana@b.example", Phone: "+493055501234"},
			features2: &leadv1.Features{HasEmail: true, HasPhone: true, HasCompany: true, Country: "DE"},
		},
		"by the time zone": {
			personal:  &leadv1.PersonalData{Email: "ana@b.example", Other: other("Time zone", "Europe/Vienna")},
			want:      Mapped{Email: "ana@b.example"},
			features2: &leadv1.Features{HasEmail: true, Country: "AT"},
		},
		"the number before the time zone": {
			personal:  &leadv1.PersonalData{Phone: "+49 30 55501234", Other: other("timezone", "Europe/Vienna")},
			want:      Mapped{Phone: "+493055501234"},
			features2: &leadv1.Features{HasPhone: true, Country: "DE"},
		},
		"what was stated before both": {
			personal: &leadv1.PersonalData{Phone: "+49 30 55501234"}, features: &leadv1.Features{Country: "CH"},
			want:      Mapped{Phone: "+493055501234"},
			features2: &leadv1.Features{HasPhone: true, Country: "CH"},
		},
		"stated and not understood": {
			personal:  &leadv1.PersonalData{Phone: "+49 30 55501234", Other: other("country", "Atlantis")},
			want:      Mapped{Phone: "+493055501234"},
			features2: &leadv1.Features{HasPhone: true},
		},
		"free": {
			personal:  &leadv1.PersonalData{Email: "a@gmail.com"},
			want:      Mapped{Email: "a@gmail.com"},
			features2: &leadv1.Features{HasEmail: true, FreeEmail: true},
		},
		"disposable": {
			personal: &leadv1.PersonalData{Email: "a@mailinator.com"}, features: &leadv1.Features{FreeEmail: true},
			want:      Mapped{Email: "a@mailinator.com"},
			features2: &leadv1.Features{HasEmail: true, DisposableEmail: true},
		},
		"no address": {
			personal: &leadv1.PersonalData{Email: "ana at b"}, features: &leadv1.Features{HasEmail: true},
			features2: &leadv1.Features{},
		},
		"nobody": {features2: &leadv1.Features{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := submitted(c.personal)
			m.Submission.Features = c.features
			given := proto.Clone(c.personal)
			for range 2 { // doing it twice changes nothing
				complete(&m, c.source, nil, atNoon)
				if m.Email != c.want.Email || m.Phone != c.want.Phone || m.Spam != "" {
					t.Errorf("%q, %q, spam %q; want %q, %q", m.Email, m.Phone, m.Spam, c.want.Email, c.want.Phone)
				}
				if diff := cmp.Diff(c.features2, m.Submission.GetFeatures(), protocmp.Transform()); diff != "" {
					t.Errorf("features (-want +got)\n%s", diff)
				}
				if !proto.Equal(given, c.personal) {
					t.Error("what was given did not stay as it was")
				}
			}
		})
	}
}

// What comes by gRPC or from a file goes through the rules that a form goes
// through, and what its sender claims to have found out counts for nothing.
func TestWorded(t *testing.T) {
	sub := &intakev1.Submission{
		Personal: &leadv1.PersonalData{Email: "not an address", Phone: "030 5550 1234", Other: []*leadv1.Answer{{Key: "rendered_at", Value: "1772452799"}}},
		Features: &leadv1.Features{HasEmail: true, FreeEmail: true, Attribution: &leadv1.Attribution{
			Campaign: "ana@b.example", Click: "EAIaIQobChMI", Landing: "https://b.example/prices?email=ana%40b.example", Referrer: "search.example/?q=ana",
		}},
	}
	given := proto.Clone(sub)
	m := worded(sub, nil, &intakev1.SourceDeclared{Region: "DE"}, nil, atNoon)
	if m.Phone != "+493055501234" || m.NeedsMapping || m.Spam != SpamTooFast {
		t.Errorf("phone %q, needs mapping %v, spam %q", m.Phone, m.NeedsMapping, m.Spam)
	}
	want := &leadv1.Features{HasPhone: true, Country: "DE", Attribution: &leadv1.Attribution{Landing: "b.example/prices", Referrer: "search.example"}}
	if diff := cmp.Diff(want, m.Submission.GetFeatures(), protocmp.Transform()); diff != "" {
		t.Errorf("features (-want +got)\n%s", diff)
	}
	if !proto.Equal(given, sub) {
		t.Error("the submission did not stay as it was sent")
	}
	for _, click := range []string{"gclid", "li_fat_id"} {
		if got := inTheClear(&leadv1.Attribution{Click: click, Landing: "b.example/a"}); got.GetClick() != click || got.GetLanding() != "b.example/a" {
			t.Errorf("%s became %v", click, got)
		}
	}
}

// TestBothDoors holds that what somebody says is understood alike, whether it
// came through a form or in Baton's own words: the same rule reads a number, finds
// the agreed words, and says that nothing was found to reach them by.
func TestBothDoors(t *testing.T) {
	for name, c := range map[string]struct {
		form     string
		personal *leadv1.PersonalData
		features *leadv1.Features
		phone    string
		held     bool
		want     *leadv1.Features
	}{
		// A number in Germany as well as in Austria.
		"a number of the stated country": {
			`{"phone":"0664 1234567","country":"AT"}`, &leadv1.PersonalData{Phone: "0664 1234567"}, &leadv1.Features{Country: "AT"},
			"+436641234567", false, &leadv1.Features{Country: "AT", HasPhone: true},
		},
		"a number that the stated country has not": {
			`{"phone":"030 5550 1234","country":"SG"}`, &leadv1.PersonalData{Phone: "030 5550 1234"}, &leadv1.Features{Country: "SG"},
			"+493055501234", false, &leadv1.Features{Country: "SG", HasPhone: true},
		},
		"a number alone": {
			`{"phone":"030 5550 1234"}`, &leadv1.PersonalData{Phone: "030 5550 1234"}, nil,
			"+493055501234", false, &leadv1.Features{Country: "DE", HasPhone: true},
		},
		"an address with a typing mistake": {
			`{"email":"ana@@b.example"}`, &leadv1.PersonalData{Email: "ana@@b.example"}, nil, "", false, &leadv1.Features{},
		},
		"blanks instead of an address": {
			`{"email":" ","name":"Ana Bo"}`, &leadv1.PersonalData{Email: " ", Name: "Ana Bo"}, nil, "", true, &leadv1.Features{},
		},
		"nothing to reach them by": {
			`{"name":"Ana Bo"}`, &leadv1.PersonalData{Name: "Ana Bo"}, nil, "", true, &leadv1.Features{},
		},
		"agreed words": {
			`{"email":"ana@b.example","industry":"Maschinenbau","role":"Einkauf","product":"Pump","budget":"High"}`, &leadv1.PersonalData{Email: "ana@b.example"},
			&leadv1.Features{Industry: "Maschinenbau", Role: "Einkauf", Product: "Pump", Answers: map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Text{Text: "High"}}}},
			"", false, &leadv1.Features{HasEmail: true, Industry: "machinery", Role: "buyer", Product: "pump", Answers: map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Text{Text: "high"}}}},
		},
		"words of nobody": {
			`{"email":"ana@b.example","industry":"Ana's garden","role":"aunt","product":"roses","mood":"good"}`, &leadv1.PersonalData{Email: "ana@b.example"},
			&leadv1.Features{Industry: "Ana's garden", Role: "aunt", Product: "roses", Answers: map[string]*leadv1.Value{"mood": {Kind: &leadv1.Value_Text{Text: "good"}}}},
			"", false, &leadv1.Features{HasEmail: true},
		},
		"a title": {
			`{"email":"ana@b.example","job_title":"CTO"}`, &leadv1.PersonalData{Email: "ana@b.example", JobTitle: "CTO"}, nil, "", false, &leadv1.Features{HasEmail: true, Role: "decider"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := &intakev1.SourceDeclared{Region: "DE"}
			f, err := Parse("application/json", "", []byte(c.form))
			if err != nil {
				t.Fatal(err)
			}
			for door, m := range map[string]Mapped{
				"form": understood(f.Items[0], agreed{}, src, nil, atNoon),
				"gRPC": worded(&intakev1.Submission{Personal: c.personal, Features: c.features}, agreed{}, src, nil, atNoon),
			} {
				if m.Phone != c.phone || m.NeedsMapping != c.held {
					t.Errorf("%s: phone %q, held %v, want %q and %v", door, m.Phone, m.NeedsMapping, c.phone, c.held)
				}
				got := proto.Clone(m.Submission.GetFeatures()).(*leadv1.Features)
				if diff := cmp.Diff(c.want, got, protocmp.Transform()); diff != "" {
					t.Errorf("%s: features (-want +got)\n%s", door, diff)
				}
			}
			said := worded(&intakev1.Submission{Personal: c.personal, Features: c.features}, agreed{}, src, nil, atNoon).Submission.GetPersonal()
			kept := map[string]bool{}
			for _, a := range said.GetOther() {
				kept[a.GetValue()] = true
			}
			for _, word := range []string{c.features.GetIndustry(), c.features.GetRole(), c.features.GetProduct()} {
				if word != "" && !kept[word] {
					t.Errorf("%q is lost: %v", word, said.GetOther())
				}
			}
		})
	}
}

func TestSpamRules(t *testing.T) {
	rendered := func(key, at string) *leadv1.PersonalData {
		return &leadv1.PersonalData{Name: "Ana Lima", Other: []*leadv1.Answer{{Key: key, Value: at}}}
	}
	for name, c := range map[string]struct {
		personal *leadv1.PersonalData
		want     string
	}{
		"sent at once":                {rendered("_rendered_at", "1772452799"), SpamTooFast},
		"sent at once, by ms":         {rendered("formLoadedAt", "1772452799500"), SpamTooFast},
		"sent at once, by text":       {rendered("rendered-at", "2026-03-02T11:59:59Z"), SpamTooFast},
		"sent after three seconds":    {rendered("_rendered_at", "1772452797"), ""},
		"a clock that is ahead":       {rendered("_rendered_at", "1772452801"), ""},
		"no time":                     {rendered("_rendered_at", "yes"), ""},
		"another time":                {rendered("timestamp", "1772452799"), ""},
		"one text everywhere":         {&leadv1.PersonalData{Name: "cheap watches", Company: "Cheap Watches", Message: "cheap watches!"}, SpamRepeats},
		"one text in two places":      {&leadv1.PersonalData{Name: "Jane Smith", Company: "Jane Smith", Message: "Please call."}, ""},
		"short and the same":          {&leadv1.PersonalData{Name: "x", Company: "x", Message: "x"}, ""},
		"random letters":              {&leadv1.PersonalData{Name: "XkQwPzLrTbVn", Company: "google", Message: "hJdKsLwQpZxMv"}, SpamGibberish},
		"random letters in one place": {&leadv1.PersonalData{Name: "XkQwPzLrTbVn", Company: "google", Message: "Please call."}, ""},
		"nothing":                     {nil, ""},
	} {
		m := submitted(c.personal)
		if complete(&m, nil, nil, atNoon); m.Spam != c.want {
			t.Errorf("%s: %q, want %q", name, m.Spam, c.want)
		}
	}
	m := submitted(nil)
	m.Spam = "a trap"
	if complete(&m, nil, nil, atNoon); m.Spam != "a trap" {
		t.Errorf("the rule that was found first became %q", m.Spam)
	}
}

// Names of people and companies that look odd to somebody who does not know
// them. None of them may ever count as random letters.
func TestRealNamesAreNotGibberish(t *testing.T) {
	for _, name := range strings.Split("Krzysztof Brzęczyszczykiewicz|Szczepan Przybyszewski|Nguyễn Thị Mỹ|Ng|Hrvoje Krčmar|Vlk Krk|Strč Prst|Mstislav Rostropovich|"+
		"Schwarzschild|Knightsbridge|MacDonald|McGillicuddy|VanDerBilt|DeShawn|LaToya|JoAnn|O'Shaughnessy|d'Artagnan|LeBron|Bjørn Þórðarson|Grzegorz Szczęsny|"+
		"Xhosa|Tshepo Mthembu|Mkhwanazi|Ndlovu|Nkrumah|Zsófia Szabó|Ödön|Dvořák|Wojciechowski|Ljubljana|Ioánnis|Αλέξανδρος|Дмитрий Щербаков|山田太郎|김민수|محمد|"+
		"Srinivasan Krishnamurthy|Venkatanarasimharajuvaripeta|Tchaikovsky|Schtscherbakow|Hjördís|Rhys Llywelyn|Cwmbrân|Nzb|HSBC|PricewaterhouseCoopers|"+
		"BlackRock|YouTube|GlaxoSmithKline|PwC|IBM|KPMG|SpaceX|eBay|AstraZeneca|ThyssenKrupp|DHL|McKinsey|DaimlerChrysler|JPMorganChase|BMW|Rhythm|Kjkrstn", "|") {
		if gibberish(name) {
			t.Errorf("%s counts as random letters", name)
		}
	}
}
