// Package holidays knows holidays by a library's table and reads them from iCalendar
// files. It helps to write an agreement and decides nothing: what counts are the dates in
// the document that both parties sign. What a file says and it does not understand it
// refuses with the line, instead of leaving days out.
package holidays

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/ecb"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/mw"
	"github.com/rickar/cal/v2/nc"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/ru"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/ua"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
)

// Source says where the dates of the table come from.
const Source = "github.com/rickar/cal/v2 v2.1.13 (April 2023)"

// tables are the holidays by country and region, as ISO 3166 writes them; ECB are
// the days on which the euro's payment system is closed.
var tables = map[string][]*cal.Holiday{
	"AR":     ar.Holidays,
	"AT":     at.Holidays,
	"AU-ACT": au.HolidaysACT,
	"AU-NSW": au.HolidaysNSW,
	"AU-NT":  au.HolidaysNT,
	"AU-QLD": au.HolidaysQLD,
	"AU-SA":  au.HolidaysSA,
	"AU-TAS": au.HolidaysTAS,
	"AU-VIC": au.HolidaysVIC,
	"AU-WA":  au.HolidaysWA,
	"BE":     be.Holidays,
	"BG":     bg.Holidays,
	"BR":     br.Holidays,
	"CA":     ca.Holidays,
	"CH":     ch.Holidays,
	"CH-AG":  ch.HolidaysAG,
	"CH-AI":  ch.HolidaysAI,
	"CH-AR":  ch.HolidaysAR,
	"CH-BE":  ch.HolidaysBE,
	"CH-BL":  ch.HolidaysBL,
	"CH-BS":  ch.HolidaysBS,
	"CH-FR":  ch.HolidaysFR,
	"CH-GE":  ch.HolidaysGE,
	"CH-GL":  ch.HolidaysGL,
	"CH-GR":  ch.HolidaysGR,
	"CH-JU":  ch.HolidaysJU,
	"CH-LU":  ch.HolidaysLU,
	"CH-NE":  ch.HolidaysNE,
	"CH-NW":  ch.HolidaysNW,
	"CH-OW":  ch.HolidaysOW,
	"CH-SG":  ch.HolidaysSG,
	"CH-SH":  ch.HolidaysSH,
	"CH-SO":  ch.HolidaysSO,
	"CH-SZ":  ch.HolidaysSZ,
	"CH-TG":  ch.HolidaysTG,
	"CH-TI":  ch.HolidaysTI,
	"CH-UR":  ch.HolidaysUR,
	"CH-VD":  ch.HolidaysVD,
	"CH-VS":  ch.HolidaysVS,
	"CH-ZG":  ch.HolidaysZG,
	"CH-ZH":  ch.HolidaysZH,
	"CZ":     cz.Holidays,
	"DE":     de.Holidays,
	"DE-BB":  de.HolidaysBB,
	"DE-BE":  de.HolidaysBE,
	"DE-BW":  de.HolidaysBW,
	"DE-BY":  de.HolidaysBY,
	"DE-HB":  de.HolidaysHB,
	"DE-HE":  de.HolidaysHE,
	"DE-HH":  de.HolidaysHH,
	"DE-MV":  de.HolidaysMV,
	"DE-NI":  de.HolidaysNI,
	"DE-NW":  de.HolidaysNW,
	"DE-RP":  de.HolidaysRP,
	"DE-SH":  de.HolidaysSH,
	"DE-SL":  de.HolidaysSL,
	"DE-SN":  de.HolidaysSN,
	"DE-ST":  de.HolidaysST,
	"DE-TH":  de.HolidaysTH,
	"DK":     dk.Holidays,
	"ECB":    ecb.Holidays,
	"ES":     es.Holidays,
	"FR":     fr.Holidays,
	"GB":     gb.Holidays,
	"GR":     gr.Holidays,
	"HR":     hr.Holidays,
	"IE":     ie.Holidays,
	"IT":     it.Holidays,
	"JP":     jp.Holidays,
	"LT":     lt.Holidays,
	"LV":     lv.Holidays,
	"MW":     mw.Holidays,
	"NC":     nc.Holidays,
	"NL":     nl.Holidays,
	"NO":     no.Holidays,
	"NZ":     nz.Holidays,
	"PL":     pl.Holidays,
	"RO":     ro.Holidays,
	"RU":     ru.Holidays,
	"SE":     se.Holidays,
	"SI":     si.Holidays,
	"SK":     sk.Holidays,
	"UA":     ua.Holidays,
	"US":     us.Holidays,
	"ZA":     za.Holidays,
}

// Codes are the countries and regions of the table in order.
func Codes() []string { return slices.Sorted(maps.Keys(tables)) }

// Day is a date with what it is called.
type Day struct {
	Date  string   `json:"date"`
	Names []string `json:"names"`
}

// inUTC makes the library reckon in UTC: a zone in which clocks change at midnight
// would move dates.
var inUTC = sync.OnceFunc(func() { cal.DefaultLoc = time.UTC })

// Of are the holidays of a country or region from one year to another, in order. Where
// another day is observed instead, both are there.
func Of(code string, from, to int) []Day {
	inUTC()
	var out []Day
	for _, h := range tables[code] {
		// A holiday of the next year can be observed in this one.
		for year := from - 1; year <= to+1; year++ {
			actual, observed := h.Calc(year)
			if actual.IsZero() {
				continue
			}
			name := h.Name
			if h.Type == cal.ObservanceReligious || h.Type == cal.ObservanceOther {
				name += " (by the table no public holiday)"
			}
			out = append(out, Day{actual.Format(time.DateOnly), []string{name}})
			if !observed.Equal(actual) {
				out = append(out, Day{observed.Format(time.DateOnly), []string{name + " (observed)"}})
			}
		}
	}
	return Within(out, time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(to, 12, 31, 0, 0, 0, 0, time.UTC))
}

// Within are the dates from one day to another, each once, in order; a zero time is no
// bound.
func Within(list []Day, from, to time.Time) []Day {
	list = slices.DeleteFunc(list, func(d Day) bool {
		return !from.IsZero() && d.Date < from.Format(time.DateOnly) || !to.IsZero() && d.Date > to.Format(time.DateOnly)
	})
	slices.SortStableFunc(list, func(a, b Day) int { return cmp.Compare(a.Date, b.Date) })
	var out []Day
	for _, d := range list {
		if n := len(out); n > 0 && out[n-1].Date == d.Date {
			for _, name := range d.Names {
				if !slices.Contains(out[n-1].Names, name) {
					out[n-1].Names = append(out[n-1].Names, name)
				}
			}
			continue
		}
		out = append(out, d)
	}
	return out
}
