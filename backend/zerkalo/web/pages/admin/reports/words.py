"""The name of every figure and how it is counted, as shown beside it. Russian first."""

from collections.abc import Mapping

from zerkalo.web.pages.wording import Words

FIGURES: Mapping[str, tuple[Words, Words]] = {
    "revenue": (
        {"ru": "Выручка", "en": "Revenue"},
        {
            "ru": "Сумма цен состоявшихся записей по дню визита. Цена та, что стоит в записи YCLIENTS.",
            "en": "What the completed bookings cost, by the day of the visit. The price is that of YCLIENTS's record.",
        },
    ),
    "visits": (
        {"ru": "Визиты", "en": "Visits"},
        {"ru": "Записи, в которых клиент пришёл.", "en": "Bookings whose client came."},
    ),
    "average": (
        {"ru": "Средний чек", "en": "Average cheque"},
        {"ru": "Выручка, делённая на число визитов.", "en": "Revenue divided by the number of visits."},
    ),
    "no_shows": (
        {"ru": "Не пришли", "en": "No-shows"},
        {
            "ru": "Записи с отметкой «клиент не пришёл». Доля — от них и визитов вместе.",
            "en": "Bookings marked as not come. The share is of these and the visits together.",
        },
    ),
    "cancellations": (
        {"ru": "Отмены", "en": "Cancellations"},
        {
            "ru": "Записи, удалённые салоном или клиентом, по дню, на который были назначены.",
            "en": "Bookings that the salon or the client deleted, by the day that they were for.",
        },
    ),
    "ahead": (
        {"ru": "Ещё ждём", "en": "Still awaited"},
        {
            "ru": "Записи периода, по которым визит не отмечен и не отменён.",
            "en": "Bookings of the period that are neither marked as come nor cancelled.",
        },
    ),
    "revenue_ahead": (
        {"ru": "Сумма ожидаемых", "en": "What these cost"},
        {
            "ru": "Сумма цен записей, которые ещё ждём.",
            "en": "The prices of the bookings that are still awaited.",
        },
    ),
    "new": (
        {"ru": "Новые клиенты", "en": "New clients"},
        {
            "ru": "Люди, чей первый состоявшийся визит пришёлся на этот период. Человек — это пользователь, а без него"
            " карточка клиента в YCLIENTS.",
            "en": "People whose first completed visit lies in this period. A person is a user, or else a client's card in"
            " YCLIENTS.",
        },
    ),
    "returning": (
        {"ru": "Вернулись", "en": "Returning"},
        {
            "ru": "Люди с визитом в этом периоде, которые бывали в салоне и до него.",
            "en": "People with a visit in this period who had been there before it.",
        },
    ),
    "nameless": (
        {"ru": "Визиты без карточки", "en": "Visits without a card"},
        {
            "ru": "Визиты, о которых не известны ни карточка, ни пользователь: они ни новые, ни повторные.",
            "en": "Visits of which neither a card nor a user is known: neither new nor returning.",
        },
    ),
    "given": (
        {"ru": "Баллов начислено", "en": "Points given"},
        {"ru": "За визиты и вручную.", "en": "For visits and by hand."},
    ),
    "spent": (
        {"ru": "Баллов потрачено", "en": "Points spent"},
        {"ru": "Списано в оплату.", "en": "Redeemed."},
    ),
    "expired": (
        {"ru": "Баллов сгорело", "en": "Points expired"},
        {"ru": "По сроку, за вычетом возвращённых.", "en": "By age, less what was given back."},
    ),
    "taken_back": (
        {"ru": "Баллов снято", "en": "Points taken back"},
        {
            "ru": "За визиты, которые не состоялись или подешевели, и вручную.",
            "en": "Of visits that did not come about or became cheaper, and by hand.",
        },
    ),
    "owed": (
        {"ru": "Баллов на счетах", "en": "Points owed"},
        {"ru": "Сумма всех счетов на конец периода.", "en": "On all accounts at the end of the period."},
    ),
}

GROUPS: Mapping[str, tuple[Words, Words]] = {
    "staff": (
        {"ru": "По специалистам", "en": "By specialist"},
        {"ru": "По имени в записи.", "en": "By the name in the record."},
    ),
    "service": (
        {"ru": "По услугам", "en": "By service"},
        {
            "ru": "Запись с несколькими услугами считается в каждой из них, её цена — по строкам.",
            "en": "A booking of several services counts in each of them, with that line's price.",
        },
    ),
    "branch": (
        {"ru": "По филиалам", "en": "By branch"},
        {"ru": "Дни и часы — по времени филиала.", "en": "Days and hours are the branch's own."},
    ),
    "weekday": (
        {"ru": "По дням недели", "en": "By weekday"},
        {"ru": "По дню начала визита.", "en": "By the day on which the visit begins."},
    ),
    "hour": (
        {"ru": "По часам", "en": "By hour"},
        {
            "ru": "По часу начала визита, по времени филиала.",
            "en": "By the hour at which the visit begins, in the branch's time.",
        },
    ),
}

LOAD: Mapping[str, Words] = {
    "weekday": {"ru": "День недели", "en": "Weekday"},
    "hour": {"ru": "Час", "en": "Hour"},
}

PERIODS: Mapping[str, Words] = {
    "day": {"ru": "Сегодня", "en": "Today"},
    "week": {"ru": "Эта неделя", "en": "This week"},
    "month": {"ru": "Этот месяц", "en": "This month"},
    "last_month": {"ru": "Прошлый месяц", "en": "Last month"},
    "last_30": {"ru": "30 дней", "en": "30 days"},
    "quarter": {"ru": "Квартал", "en": "Quarter"},
    "year": {"ru": "Год", "en": "Year"},
}

UNTOLD: Mapping[str, Words] = {
    "staff": {"ru": "Без специалиста", "en": "No specialist"},
    "service": {"ru": "Без услуги", "en": "No service"},
}

BY_HAND: tuple[Words, Words] = (
    {"ru": "Кто менял баллы вручную", "en": "Who moved points by hand"},
    {
        "ru": "Кем из сотрудников за период начислено, снято и списано в оплату.",
        "en": "What each of the staff gave, took and redeemed in the period.",
    },
)
