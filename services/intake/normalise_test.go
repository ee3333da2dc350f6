package intake

import "testing"

func TestNormaliseEmail(t *testing.T) {
	for typed, want := range map[string]string{
		"Ana@B.Example":               "ana@b.example",
		"  ana+tag@b.example \t":      "ana+tag@b.example",
		"ana@b.example\n":             "",
		"ana@b.example.":              "",
		"ana@io":                      "ana@io",
		"\"ana\"@b.example":           "",
		"ana(the one)@b.example":      "",
		"mailto:ana@b.example":        "ana@b.example",
		"Ana Bo <ana@b.example>":      "ana@b.example",
		"ana@BÜCHER.example":          "ana@xn--bcher-kva.example",
		"zoe\u0301@b.example":         "zoé@b.example",
		"":                            "",
		"ana":                         "",
		"ana@":                        "",
		"@b.example":                  "",
		"ana@localhost":               "",
		"ana@[127.0.0.1]":             "",
		"ana@b..example":              "",
		"ana bo@b.example":            "",
		"a@b.example, c@d.example":    "",
		"a@b.example\r\nBcc: c@d.com": "",
	} {
		got, ok := NormaliseEmail(typed)
		if got != want || ok != (want != "") {
			t.Errorf("NormaliseEmail(%q) = %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func TestNormalisePhone(t *testing.T) {
	tests := []struct{ typed, region, want, country string }{
		{"+49 30 5550 1234", "", "+493055501234", "DE"},
		{"030 / 5550-1234", "DE", "+493055501234", "DE"},
		{"0049 30 55501234", "DE", "+493055501234", "DE"},
		{"(650) 253-0000", "US", "+16502530000", "US"},
		{"030 55501234", "", "", ""},
		{"12", "DE", "", ""},
		{"call me", "DE", "", ""},
		{"", "DE", "", ""},
	}
	for _, tt := range tests {
		got, country, ok := NormalisePhone(tt.typed, tt.region)
		if got != tt.want || country != tt.country || ok != (tt.want != "") {
			t.Errorf("NormalisePhone(%q, %q) = %q, %q, %v; want %q, %q", tt.typed, tt.region, got, country, ok, tt.want, tt.country)
		}
	}
}

func TestEmployees(t *testing.T) {
	for text, want := range map[string]int64{
		"250": 250, "51-200": 51, "51 – 200": 51, "51 to 200": 51, "51 bis 200": 51, "11..50": 11,
		"1.000+": 1000, "1,000": 1000, "1'000": 1000, "1 000": 1000, "1.234.567": 1234567, "1,001-5,000": 1001, "1.001 - 5.000 Mitarbeiter": 1001,
		"500+": 500, "> 500": 501, "more than 500": 501, "über 500": 501, ">=500": 500, "<50": 1, "up to 10": 1, "unter 50": 1,
		"ca. 250": 250, "~250": 250, "10k": 10000, "10K+": 10000, "200 employees": 200, "250.0": 250, "1 (me)": 1,
		"": 0, "many": 0, "0": 0, "-5": 0, "5.5": 0, "99999999999999999999": 0, "12:30": 0, "1.00.000": 0,
	} {
		got, ok := Employees(text)
		if got != want || ok != (want != 0) {
			t.Errorf("Employees(%q) = %d, %v; want %d", text, got, ok, want)
		}
	}
}

func TestCountry(t *testing.T) {
	for text, want := range map[string]string{
		"DE": "DE", "de": "DE", "DEU": "DE", "Germany": "DE", "Deutschland": "DE", " Allemagne ": "DE", "D": "DE", "BRD": "DE",
		"Österreich": "AT", "Oesterreich": "AT", "Suedafrika": "ZA", "Schweiz": "CH", "Suisse": "CH", "UK": "GB", "Great Britain": "GB", "England": "GB", "U.S.A.": "US",
		"United States": "US", "Vereinigte Staaten": "US", "España": "ES", "Holland": "NL", "Türkiye": "TR", "日本": "JP", "Ελλάδα": "GR", "EL": "GR",
		"Czech Republic": "CZ", "Côte d’Ivoire": "CI", "USA": "US", "South Korea": "KR", "XX": "", "ZZ": "", "EU": "", "": "", "Atlantis": "", "Europe": "",
	} {
		got, ok := Country(text)
		if got != want || ok != (want != "") {
			t.Errorf("Country(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for text, want := range map[string]string{
		"de": "de", "de-AT": "de", "en_US": "en", "en_US.UTF-8": "en", "Deutsch": "de", "German": "de", "français": "fr",
		"de-DE,de;q=0.9": "de", "": "", "x": "", "Klingonese": "", "qqqq-DE": "",
	} {
		got, ok := Language(text)
		if got != want || ok != (want != "") {
			t.Errorf("Language(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}
