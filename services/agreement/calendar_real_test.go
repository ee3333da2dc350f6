//go:build real

package agreement

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// tables are the holidays of countries and regions, and a zone in which they count.
var tables = []struct{ id, file, zone string }{
	{"au-nsw", "AU_NSW", "Australia/Sydney"},
	{"br", "BR_COMMON", "America/Sao_Paulo"},
	{"br-sp", "BR_SP", "America/Sao_Paulo"},
	{"ca-on", "CA_ON", "America/Toronto"},
	{"de", "DE_COMMON", "Europe/Berlin"},
	{"de-be", "DE_BE", "Europe/Berlin"},
	{"de-by", "DE_BY", "Europe/Berlin"},
	{"fr", "FR_COMMON", "Europe/Paris"},
	{"gb-eng", "GB_ENG", "Europe/London"},
	{"gb-sct", "GB_SCT", "Europe/London"},
	{"in", "IN_COMMON", "Asia/Kolkata"},
	{"in-mh", "IN_MH", "Asia/Kolkata"},
	{"it", "IT_COMMON", "Europe/Rome"},
	{"jp", "JP_COMMON", "Asia/Tokyo"},
	{"nl", "NL_COMMON", "Europe/Amsterdam"},
	{"pt", "PT_COMMON", "Europe/Lisbon"},
	{"sg", "SG_COMMON", "Asia/Singapore"},
	{"us", "US_COMMON", "America/New_York"},
	{"us-ca", "US_CA", "America/Los_Angeles"},
}

// TestBreachInstantsOnHolidays holds ten thousand due times around the holidays of 19
// countries and regions, of 2024 to 2027, against the wall clock.
func TestBreachInstantsOnHolidays(t *testing.T) {
	sets := map[string]map[string][]string{}
	for _, one := range tables {
		in, err := os.Open("../../../shared/data/holidays/vacanza-snapshots/" + one.file + ".json.gz")
		if err != nil {
			t.Fatalf("this test reads tables of holidays in the folder shared beside the checkout: %v", err)
		}
		defer func() { _ = in.Close() }()
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		var names map[string]string
		if err := json.NewDecoder(unpacked).Decode(&names); err != nil {
			t.Fatal(err)
		}
		var dates []string
		for date := range names {
			if date >= "2024" && date < "2028" {
				dates = append(dates, date)
			}
		}
		slices.Sort(dates)
		if sets[one.zone] == nil {
			sets[one.zone] = map[string][]string{}
		}
		sets[one.zone][one.id] = dates
	}
	got := compareCalendars(t, 2, 10_000, sets)
	got.enough(t, "all", "a change of the clock", "no whole hours from UTC", "split shifts", "a holiday", "a day of its own")
	if got["a holiday"] < 4_000 {
		t.Errorf("only %d of the cases have a holiday", got["a holiday"])
	}
}
