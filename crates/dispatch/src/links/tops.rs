//! Ends of host names that mail programs know (IANA's root zone: all of countries, and the generic ones in wide use). Absent:
//! all of the root zone, which changes every week; a host of any end with a path behind it is found without.

/// Of countries, two letters each.
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw рф укр бел срб мон қаз";

/// The others.
const GENERIC: &str = "com net org info biz edu gov mil int arpa name pro mobi asia tel travel jobs cat aero coop museum post xxx app dev page web site website online store shop shopping market sale deals gift gifts bid win club vip xyz top icu live life link click zone space world today email mail cloud host hosting digital agency media news blog wiki social chat video photo photos pics art design studio style fashion beauty health care clinic pharmacy food pizza restaurant bar cafe coffee wine beer tours hotel house homes land estate rent cars auto bike taxi team work works company business finance financial bank money cash credit loan loans tax fund capital exchange trade trading crypto casino bet poker games game play fun party dating sexy porn adult date men zip mov buzz monster cyou sbs quest lol rest bond cfd boats autos skin fit ink review reviews stream download science tech technology computer software systems solutions services support help center expert guru academy school college university courses education church foundation charity green eco energy solar city london berlin paris tokyo moscow москва онлайн сайт орг ком дети рус";

/// Whether a host name may end so. In small letters.
pub(super) fn is_known(end: &str) -> bool {
    let has = |list: &str| list.split(' ').any(|known| known == end);
    end.starts_with("xn--") || has(COUNTRIES) || has(GENERIC)
}
