//! How to hide, as the page says it.

use js_sys::JsString;
use serde::Deserialize;
use underdrawing::{Balance, BalanceSetting, Channel, Effort, HideSettings, Method, Password};
use wasm_bindgen::JsValue;

use crate::errors::of_option;

/// The page's settings: the program's flags.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Options {
    method: Option<MethodWord>,
    survive: Option<u8>,
    survive_crop: Option<u8>,
    channel: Option<String>,
    effort: Option<EffortWord>,
    balance: Option<BalanceWord>,
    jpeg: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MethodWord {
    Coded,
    Robust,
    Network,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EffortWord {
    Fast,
    Normal,
    Best,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BalanceWord {
    Step(i8),
    Name(String),
}

impl Options {
    pub(crate) fn parse(json: &str) -> Result<Self, JsValue> {
        serde_json::from_str(json).map_err(|error| of_option(&error.to_string()))
    }

    pub(crate) fn channel(&self) -> Result<Option<&'static Channel>, JsValue> {
        let named = |name: &String| {
            Channel::named(name).ok_or_else(|| of_option(&format!("channel {name} is not known")))
        };
        self.channel.as_ref().map(named).transpose()
    }

    pub(crate) fn settings(&self, password: Option<String>) -> Result<HideSettings, JsValue> {
        Ok(HideSettings {
            method: self.method.map(|method| match method {
                MethodWord::Coded => Method::Coded,
                MethodWord::Robust => Method::Robust,
                MethodWord::Network => Method::Network,
            }),
            survive: self.survive,
            survive_crop: self.survive_crop,
            channel: self.channel()?,
            effort: self.effort.map(|effort| match effort {
                EffortWord::Fast => Effort::Fast,
                EffortWord::Normal => Effort::Normal,
                EffortWord::Best => Effort::Best,
            }),
            balance: self.balance()?,
            password: password.map(composed_password),
            jpeg: self.jpeg,
            ..HideSettings::default()
        })
    }

    fn balance(&self) -> Result<Option<BalanceSetting>, JsValue> {
        let Some(word) = &self.balance else {
            return Ok(None);
        };
        let found = match word {
            BalanceWord::Step(step) => Balance::new(*step).map(BalanceSetting::Step),
            BalanceWord::Name(name) => match name.as_str() {
                "container" => Some(BalanceSetting::Container),
                "equal" => Some(BalanceSetting::Equal),
                _ => None,
            },
        };
        match found {
            Some(balance) => Ok(Some(balance)),
            None => Err(of_option(
                "balance: expected container, equal, or a whole number from -2 to 2",
            )),
        }
    }
}

/// A password, its letters composed by the browser, whose tables the module does without.
pub(crate) fn composed_password(text: String) -> Password {
    let composed = JsString::from(&*text).normalize("NFC");
    Password::new(String::from(composed)).or(text)
}
