package validation

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones exist or not by this database, not by the image's

	"golang.org/x/text/language"
	"k8s.io/apimachinery/pkg/util/validation/field"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors/driver"
)

// Channel returns what is wrong with a Channel, the gravest first. Of a
// Channel with an image of its own the config is not judged, as its schema is
// known only once the image has reported it: see Reported.
func (v *Validator) Channel(channel *selarasv1alpha1.Channel) []Problem {
	spec := field.NewPath("spec")
	var problems []Problem
	k, isKnown := v.driverOf(channel)
	if !isKnown && !ownImage(channel) {
		problems = append(problems, problemAt(spec.Child("type"), selarasv1alpha1.ReasonUnknownType,
			"%q is not known here; write one of: %s, or set spec.connector.image to an image that brings this type", channel.Spec.Type, v.types()))
	}
	problems = append(problems, addressProblems(spec, channel)...)
	problems = append(problems, localeProblems(spec, channel)...)
	if isKnown {
		problems = append(problems, driverProblems(spec, channel, k)...)
	}
	return append(problems, podProblems(spec.Child("connector"), channel.Spec.Connector)...)
}

// addressProblems checks ports, which a URL may have beyond what exists.
func addressProblems(spec *field.Path, channel *selarasv1alpha1.Channel) []Problem {
	var problems []Problem
	check := func(name, text, example string) {
		if text == "" {
			return
		}
		if err := checkAddress(text); err != nil {
			problems = append(problems, problemAt(spec.Child(name), selarasv1alpha1.ReasonInvalidEndpoint,
				"%v; write a URL such as %s", err, example))
		}
	}
	check("endpoint", channel.Spec.Endpoint, "https://shop.example.com/admin-api")
	check("proxy", channel.Spec.Proxy, "http://proxy.example.com:3128")
	if hooks := channel.Spec.Webhooks; hooks != nil {
		if err := checkAddress("https://" + hooks.Host); err != nil {
			problems = append(problems, problemAt(spec.Child("webhooks", "host"), selarasv1alpha1.ReasonInvalidEndpoint,
				"%v; write a host name, with a port between 1 and 65535 where it is not 443", err))
		}
	}
	return problems
}

func checkAddress(text string) error {
	address, err := url.Parse(text)
	if err != nil {
		// The error of net/url repeats the whole URL.
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return err
	}
	if port := address.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return errors.New("port " + port + " is not between 1 and 65535")
		}
	}
	if host := address.Hostname(); len(host) > 253 || strings.Contains(host, "..") {
		return errors.New("the host is not a host name")
	}
	return nil
}

// localeProblems checks zone, language tag and currency against the tables
// that they are taken from.
func localeProblems(spec *field.Path, channel *selarasv1alpha1.Channel) []Problem {
	var problems []Problem
	if zone := channel.Spec.Timezone; zone != "" {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			problems = append(problems, problemAt(spec.Child("timezone"), selarasv1alpha1.ReasonInvalidTimezone,
				"%q is not in the IANA database; write a name such as Asia/Jakarta, Europe/Berlin or UTC", zone))
		}
	}
	if tag := channel.Spec.Locale; tag != "" {
		if _, err := language.Parse(tag); err != nil {
			problems = append(problems, problemAt(spec.Child("locale"), selarasv1alpha1.ReasonInvalidLocale,
				"%q is not a BCP 47 tag (%v); write one such as id, en-GB or zh-Hant-TW", tag, err))
		}
	}
	if code := channel.Spec.Currency; code != "" {
		if _, ok := driver.Digits(code); !ok {
			problems = append(problems, problemAt(spec.Child("currency"), selarasv1alpha1.ReasonInvalidCurrency,
				"%q is not an ISO 4217 currency; write one such as EUR, IDR or JPY", code))
		}
	}
	return problems
}

// driverProblems checks a Channel against what its driver says of itself.
func driverProblems(spec *field.Path, channel *selarasv1alpha1.Channel, k known) []Problem {
	var problems []Problem
	can := func(c driver.Capability) bool { return slices.Contains(k.description.Capabilities, c) }

	if channel.Spec.CredentialsRef == nil {
		var needed []string
		for _, key := range k.description.Credentials {
			if !key.Optional {
				needed = append(needed, key.Name)
			}
		}
		if len(needed) > 0 {
			problems = append(problems, problemAt(spec.Child("credentialsRef"), selarasv1alpha1.ReasonMissingReference,
				"%s needs credentials; write {name: <Secret>}, a Secret with the keys %s", k.description.Title, strings.Join(needed, ", ")))
		}
	}
	if channel.Spec.Currency == "" && (can(driver.CanWritePrice) || can(driver.CanReadListings)) {
		problems = append(problems, problemAt(spec.Child("currency"), selarasv1alpha1.ReasonInvalidCurrency,
			"is missing, and %s has prices; write the ISO 4217 code in which they are read and written, such as EUR", k.description.Title))
	}
	if channel.Spec.Webhooks != nil && !can(driver.CanReceiveWebhook) {
		problems = append(problems, problemAt(spec.Child("webhooks"), selarasv1alpha1.ReasonCapabilityMissing,
			"%s lacks the capability %s; remove webhooks, the channel is polled", k.description.Title, driver.CanReceiveWebhook))
	}
	if k.broken != nil {
		return append(problems, problemAt(spec.Child("type"), selarasv1alpha1.ReasonInvalidConfig,
			"the driver %s %s is faulty: %v", k.description.Type, k.description.Version, k.broken))
	}
	return append(problems, k.config.Config(channel)...)
}
