package intake

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countryAliases are names that no table of official names holds.
var countryAliases = map[string]string{
	"uk": "GB", "greatbritain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northernireland": "GB",
	"grossbritannien": "GB", "vereinigteskonigreich": "GB", "britain": "GB",
	"usa": "US", "us": "US", "unitedstatesofamerica": "US", "america": "US", "vereinigtestaatenvonamerika": "US", "amerika": "US",
	"brd": "DE", "bundesrepublikdeutschland": "DE", "federalrepublicofgermany": "DE", "d": "DE", "a": "AT",
	"holland": "NL", "thenetherlands": "NL", "el": "GR", "czechrepublic": "CZ", "czechia": "CZ", "tschechien": "CZ",
	"russianfederation": "RU", "korea": "KR", "southkorea": "KR", "republicofkorea": "KR", "sudkorea": "KR",
	"uae": "AE", "vae": "AE", "emirates": "AE", "turkey": "TR", "turkei": "TR", "turkiye": "TR",
	"ivorycoast": "CI", "vatican": "VA", "macedonia": "MK", "hongkong": "HK", "macau": "MO", "taiwan": "TW",
	"peoplesrepublicofchina": "CN", "prc": "CN", "burma": "MM", "capeverde": "CV", "swaziland": "SZ",
}

// countryLanguages are the languages whose names of countries are understood,
// beside each country's own. Where two languages give one name to two countries
// the earlier counts.
var countryLanguages = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Italian, language.Dutch,
	language.Portuguese, language.Polish, language.Swedish, language.Danish, language.Norwegian, language.Finnish, language.Czech,
}

var countryNames = sync.OnceValue(func() map[string]string {
	var regions []language.Region
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			r, err := language.ParseRegion(string(a) + string(b))
			if err == nil && r.IsCountry() && r.Canonicalize().String() == string(a)+string(b) {
				regions = append(regions, r)
			}
		}
	}
	names := make(map[string]string, 4096)
	add := func(name, code string) {
		if word := norm(name); word != "" && names[word] == "" {
			names[word] = code
		}
	}
	for name, code := range countryAliases {
		names[name] = code
	}
	for _, tag := range countryLanguages {
		namer := display.Regions(tag)
		for _, r := range regions {
			add(namer.Name(r), r.String())
		}
	}
	for _, r := range regions {
		// The language most spoken there names it too.
		base, _ := language.Make("und-" + r.String()).Base()
		if namer := display.Regions(language.Make(base.String())); namer != nil {
			add(namer.Name(r), r.String())
		}
	}
	return names
})

// Country reads a country: an ISO code of two or three letters, or its name in
// English, German, some other European languages or its own.
func Country(text string) (string, bool) {
	s := strings.TrimSpace(text)
	if s == "" || len(s) > 128 {
		return "", false
	}
	word := norm(s)
	if code, ok := countryAliases[word]; ok {
		return code, true
	}
	if len(s) == 2 || len(s) == 3 && !isDigit(s[0]) {
		if r, err := language.ParseRegion(strings.ToUpper(s)); err == nil && r.IsCountry() {
			if code := r.Canonicalize().String(); len(code) == 2 && code != "ZZ" {
				return code, true
			}
		}
	}
	if code, ok := countryNames()[word]; ok {
		return code, true
	}
	// Umlauts are spelled out where a keyboard has none.
	code, ok := countryNames()[umlauts.Replace(word)]
	return code, ok
}

var umlauts = strings.NewReplacer("ae", "a", "oe", "o", "ue", "u")

var languageNames = sync.OnceValue(func() map[string]string {
	names := make(map[string]string, 256)
	for _, code := range strings.Fields("de en fr es it nl pt pl sv da nb fi cs sk hu ro bg el tr ru uk zh ja ko ar he hi hr sl sr lt lv et") {
		tag := language.Make(code)
		for _, name := range []string{display.English.Languages().Name(tag), display.German.Languages().Name(tag), display.Self.Name(tag)} {
			if word := norm(name); word != "" && names[word] == "" {
				names[word] = code
			}
		}
	}
	return names
})

// Language reads a language: a BCP 47 tag, or the name of a common language in
// English, German or itself. The answer is the primary tag.
func Language(text string) (string, bool) {
	s := strings.TrimSpace(text)
	if s == "" || len(s) > 64 {
		return "", false
	}
	if code, ok := languageNames()[norm(s)]; ok {
		return code, true
	}
	// A list as browsers send it starts with the one that is preferred.
	first, _, _ := strings.Cut(s, ",")
	first, _, _ = strings.Cut(first, ";")
	first, _, _ = strings.Cut(first, ".")
	if primary, _, _ := strings.Cut(strings.ReplaceAll(first, "_", "-"), "-"); len(primary) == 2 || len(primary) == 3 {
		if base, err := language.ParseBase(primary); err == nil && base.String() != "und" {
			return base.String(), true
		}
	}
	return "", false
}
