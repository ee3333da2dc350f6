package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/leadbaton/baton/services/agreement"
)

// playable is an agreement that the keys of the play sign, with those of its times that
// the play has. Without time-outs nothing in it runs out: who is offered a lead keeps it.
func playable(source []byte, marketing, sales ed25519.PublicKey, play simPlay) ([]byte, error) {
	var doc yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(source, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("the agreement is no YAML: %w", err)
	}
	inMapping(doc, "parties", func(party *yaml.MapItem) {
		key := marketing
		if party.Key == agreement.Sales {
			key = sales
		}
		if m, ok := party.Value.(yaml.MapSlice); ok {
			party.Value = with(m, "public_key", "ed25519:"+base64.StdEncoding.EncodeToString(key))
		}
	})
	// It is in force from the beginning of the play on.
	doc = without(doc, "in_force_from")
	taken := []string{"oversight"}
	if !play.timeOuts {
		taken = append(taken, "fallback")
		for _, list := range []string{"signals", "overlays"} {
			inList(doc, list, func(one yaml.MapSlice) yaml.MapSlice { return without(one, "take_within") })
		}
	}
	if !play.reminders {
		taken = append(taken, "remind_before")
		inList(doc, "clocks", func(one yaml.MapSlice) yaml.MapSlice { return without(one, "remind_before") })
	}
	if !play.escalation {
		inList(doc, "clocks", func(one yaml.MapSlice) yaml.MapSlice { return without(one, "steps") })
	}
	inList(doc, "pools", func(pool yaml.MapSlice) yaml.MapSlice {
		if pool = without(pool, taken...); !play.timeOuts {
			pool = with(pool, "take_within", "400d")
		}
		return pool
	})
	return yaml.Marshal(doc)
}

// inMapping changes the entries of a mapping within a document.
func inMapping(doc yaml.MapSlice, key string, change func(*yaml.MapItem)) {
	for i := range doc {
		if m, ok := doc[i].Value.(yaml.MapSlice); ok && doc[i].Key == key {
			for j := range m {
				change(&m[j])
			}
		}
	}
}

// inList changes the mappings of a list within a document.
func inList(doc yaml.MapSlice, key string, change func(yaml.MapSlice) yaml.MapSlice) {
	for i := range doc {
		list, ok := doc[i].Value.([]any)
		if !ok || doc[i].Key != key {
			continue
		}
		for j := range list {
			if m, ok := list[j].(yaml.MapSlice); ok {
				list[j] = change(m)
			}
		}
	}
}

func without(m yaml.MapSlice, keys ...string) yaml.MapSlice {
	return slices.DeleteFunc(m, func(item yaml.MapItem) bool {
		name, _ := item.Key.(string)
		return slices.Contains(keys, name)
	})
}

func with(m yaml.MapSlice, key string, value any) yaml.MapSlice {
	return append(without(m, key), yaml.MapItem{Key: key, Value: value})
}

// seated is an agreement whose pools have the people who say so; a pool that nobody
// names stays as it is. Who was in it before keeps their weight and limits.
func seated(source []byte, people []simPerson) ([]byte, error) {
	named := map[string][]string{}
	for _, p := range people {
		for _, pool := range strings.Fields(p.pools) {
			named[pool] = append(named[pool], p.handle)
		}
	}
	if len(named) == 0 {
		return source, nil
	}
	var doc yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(source, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("the agreement is no YAML: %w", err)
	}
	var known []string
	inList(doc, "pools", func(pool yaml.MapSlice) yaml.MapSlice {
		id, _ := valueOf(pool, "id").(string)
		known = append(known, id)
		handles := named[id]
		if len(handles) == 0 {
			return pool
		}
		delete(named, id)
		var members []any
		were, _ := valueOf(pool, "members").([]any)
		for _, handle := range handles {
			var member any = yaml.MapSlice{{Key: "member", Value: handle}}
			for _, one := range were {
				if m, ok := one.(yaml.MapSlice); ok && valueOf(m, "member") == handle {
					member = m
				}
			}
			members = append(members, member)
		}
		return with(pool, "members", members)
	})
	for _, pool := range slices.Sorted(maps.Keys(named)) {
		return nil, fmt.Errorf("the file of people names the pool %q, in which %s is; the agreement has %s", cell(pool), named[pool][0], strings.Join(known, ", "))
	}
	return yaml.Marshal(doc)
}

func valueOf(m yaml.MapSlice, key string) any {
	for _, item := range m {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

// withExampleClock is the starter with the clock in force that it shows as an example.
func withExampleClock(starter []byte) []byte {
	lines, example := strings.Split(string(starter), "\n"), false
	for i, line := range lines {
		example = line == "# clocks:" || example && strings.HasPrefix(line, "#")
		if example {
			lines[i] = strings.TrimPrefix(line, "# ")
		}
	}
	return []byte(strings.Join(lines, "\n"))
}
