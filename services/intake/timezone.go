package intake

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed zones.txt
var zonesText string

var zoneCountries = sync.OnceValue(func() map[string]string {
	zones := make(map[string]string, 600)
	for line := range strings.Lines(zonesText) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, zone := range words[1:] {
			zones[strings.ToLower(zone)] = words[0]
		}
	}
	return zones
})

// ZoneCountry is the country in which a time zone of the IANA database lies, by
// its name of today or one that it had. False for what is no place: an offset,
// or UTC.
func ZoneCountry(zone string) (code string, ok bool) {
	code, ok = zoneCountries()[strings.ToLower(strings.TrimSpace(zone))]
	return code, ok
}
