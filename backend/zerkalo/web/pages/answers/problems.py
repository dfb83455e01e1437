"""Why a form was refused or a page can't be shown, Russian first. Pure."""

from collections.abc import Mapping

from zerkalo.kit.language import Language
from zerkalo.web.pages.wording import Words

PROBLEMS: Mapping[str, Words] = {
    "not_found": {"ru": "Такой страницы нет.", "en": "There is no such page."},
    "admins_only": {
        "ru": "Эта страница только для сотрудников салона.",
        "en": "This page is for the salon's staff only.",
    },
    "role_too_low": {
        "ru": "Вашей роли это не разрешено. Попросите владельца салона.",
        "en": "Your role does not allow this. Ask the salon's owner.",
    },
    "stale_form": {
        "ru": "Форма устарела. Откройте страницу ещё раз и повторите. Если не помогает, разрешите cookie и проверьте, "
        "что адрес начинается с https.",
        "en": "The form is out of date. Open the page again and repeat. If that does not help, allow cookies and check "
        "that the address begins with https.",
    },
    "no_such_contact": {
        "ru": "Введите e-mail или номер телефона.",
        "en": "Enter an e-mail or a phone number.",
    },
    "wrong_credentials": {
        "ru": "E-mail или пароль не подходит.",
        "en": "The e-mail or the password is wrong.",
    },
    "wrong_password": {"ru": "Пароль не подходит.", "en": "The password is wrong."},
    "wrong_code": {
        "ru": "Код не подошёл или устарел. Проверьте его или запросите новый.",
        "en": "The code is wrong or has expired. Check it, or ask for a new one.",
    },
    "password_required": {
        "ru": "Чтобы изменить контакт, введите пароль.",
        "en": "To change a contact, enter your password.",
    },
    "code_required": {
        "ru": "Нужен свежий код: пришлите его себе кнопкой ниже.",
        "en": "This takes a fresh code: send one to yourself by the button below.",
    },
    "account_exists": {
        "ru": "Код верный, но этот контакт уже подтверждён в другом аккаунте.",
        "en": "The code is right, but the contact is confirmed in another account already.",
    },
    "cannot_join": {
        "ru": "Объединить здесь нельзя: войдите в тот аккаунт или обратитесь в салон.",
        "en": "They can’t be joined here: sign in to that account, or ask the salon.",
    },
    "no_account": {
        "ru": "Код верный, но аккаунта с этим контактом ещё нет.",
        "en": "The code is right, but there is no account with this contact yet.",
    },
    "contact_missing": {
        "ru": "Аккаунту нужен e-mail или телефон.",
        "en": "An account needs an e-mail or a phone.",
    },
    "already_verified": {"ru": "Этот контакт уже подтверждён.", "en": "This contact is confirmed already."},
    "no_contact": {"ru": "Сначала укажите этот контакт.", "en": "Enter this contact first."},
    "channel_unavailable": {
        "ru": "Салон ещё не настроил отправку кодов. Обратитесь в салон.",
        "en": "The salon can't send codes yet. Ask the salon.",
    },
    "yclients_disabled": {"ru": "Онлайн-запись сейчас отключена.", "en": "Online booking is turned off."},
    "yclients_refuses": {
        "ru": "Онлайн-запись салона сейчас недоступна.",
        "en": "The salon's online booking is not available now.",
    },
    "yclients_unavailable": {
        "ru": "YCLIENTS сейчас не отвечает. Ничего не записано и не изменено.",
        "en": "YCLIENTS does not answer now. Nothing was booked or changed.",
    },
    "busy": {
        "ru": "Сейчас слишком много желающих. Попробуйте через несколько секунд.",
        "en": "Many people are looking for times just now. Try again in a few seconds.",
    },
    "booking_unclear": {
        "ru": "YCLIENTS не ответил, и пока не ясно, получилось ли.",
        "en": "YCLIENTS did not answer, so it is not clear yet whether it worked.",
    },
    "booking_in_progress": {
        "ru": "Эта запись ещё оформляется. Подождите несколько секунд.",
        "en": "This booking is still under way. Wait a few seconds.",
    },
    "idempotency_key_reused": {
        "ru": "Эта форма уже была отправлена. Проверьте данные и отправьте ещё раз.",
        "en": "This form was sent before. Check the details and send it again.",
    },
    "slot_taken": {
        "ru": "Это время только что заняли. Выберите другое, всё введённое сохранено.",
        "en": "This time has just been taken. Choose another one; what you typed is kept.",
    },
    "no_staff": {
        "ru": "В это время никто не свободен. Выберите другое, всё введённое сохранено.",
        "en": "Nobody is free at this time. Choose another one; what you typed is kept.",
    },
    "overlap": {
        "ru": "Это время пересекается с другой записью. Выберите другое, всё введённое сохранено.",
        "en": "This time overlaps with another booking. Choose another one; what you typed is kept.",
    },
    "time_not_ahead": {
        "ru": "Это время уже прошло. Выберите другое, всё введённое сохранено.",
        "en": "This time is over. Choose another one; what you typed is kept.",
    },
    "service_gone": {
        "ru": "Эту услугу сейчас нельзя выбрать. Начните выбор заново.",
        "en": "This service can't be booked now. Start choosing again.",
    },
    "service_missing": {
        "ru": "Отметьте хотя бы одну услугу.",
        "en": "Tick at least one service.",
    },
    "company_unknown": {"ru": "Такого филиала нет.", "en": "There is no such branch."},
    "company_missing": {"ru": "Выберите филиал.", "en": "Choose a branch."},
    "phone_invalid": {
        "ru": "Салон не может принять этот номер.",
        "en": "The salon can't take this phone number.",
    },
    "phone_missing": {"ru": "Введите номер телефона.", "en": "Enter your phone number."},
    "email_invalid": {"ru": "Проверьте e-mail.", "en": "Please check the e-mail."},
    "name_missing": {
        "ru": "Салон не принял такое имя. Введите его полностью.",
        "en": "The salon does not take this name. Enter it in full.",
    },
    "consent_missing": {
        "ru": "Салону нужно ваше согласие на обработку данных.",
        "en": "The salon needs your consent.",
    },
    "code_wrong": {"ru": "Код из SMS не подошёл.", "en": "The code from the SMS is wrong."},
    "blacklisted": {
        "ru": "На этот номер онлайн-запись закрыта. Позвоните в салон.",
        "en": "The salon takes no online bookings for this phone. Call the salon.",
    },
    "not_allowed_by_salon": {
        "ru": "Салон не разрешает это сделать онлайн. Позвоните в салон.",
        "en": "The salon does not allow this online. Call the salon.",
    },
    "already_cancelled": {"ru": "Эта запись уже отменена.", "en": "This booking is cancelled already."},
    "already_past": {"ru": "Визит уже начался или прошёл.", "en": "This visit has begun or is over."},
    "invalid_request": {"ru": "Что-то введено неверно.", "en": "Something was entered wrong."},
    "invalid_cursor": {"ru": "Такой страницы нет.", "en": "There is no such page."},
    "too_many_requests": {
        "ru": "Слишком много попыток. Подождите немного.",
        "en": "Too many attempts. Wait a little.",
    },
    "too_large": {"ru": "Слишком много текста.", "en": "That is too much text."},
    "method_not_allowed": {"ru": "Так эту страницу не открыть.", "en": "This page can't be opened this way."},
    "database_unavailable": {
        "ru": "База данных не отвечает. Попробуйте через несколько секунд.",
        "en": "The database does not answer. Try again in a few seconds.",
    },
    "internal_error": {
        "ru": "У нас что-то сломалось. Мы уже знаем об этом.",
        "en": "Something went wrong on our side. It has been logged.",
    },
    "user_not_found": {"ru": "Такого клиента нет.", "en": "There is no such client."},
    "doubtful": {
        "ru": "Что-то говорит против: посмотрите ещё раз, прежде чем привязать.",
        "en": "Something speaks against it: look once more before you link.",
    },
    "card_given": {
        "ru": "Карточка уже у другого клиента: сначала заберите её.",
        "en": "The card is another client’s: take it back first.",
    },
    "card_erased": {
        "ru": "Этот человек удалил свои данные, привязать карточку нельзя.",
        "en": "This person had their data erased; the card can’t be linked.",
    },
    "booking_erased": {
        "ru": "Этот человек удалил свои данные, привязать запись нельзя.",
        "en": "This person had their data erased; the booking can't be linked.",
    },
    "balance_too_low": {"ru": "На счёте нет столько баллов.", "en": "There are not so many points."},
    "phone_taken": {
        "ru": "Этот телефон подтвердил другой клиент.",
        "en": "Another client has confirmed this phone.",
    },
    "staff_contacts": {
        "ru": "Сотрудник меняет своё имя и контакты сам, в своём профиле.",
        "en": "Staff change their name and contacts themselves, in their profile.",
    },
    "profile_changed": {
        "ru": "Пока форма была открыта, данные клиента изменились. Проверьте их и сохраните ещё раз.",
        "en": "The client’s data changed while the form was open. Check them and save again.",
    },
    "merge_changed": {
        "ru": "Аккаунт с тех пор изменился: разделить сам он уже не может.",
        "en": "The account has changed since and can’t be parted by itself any more.",
    },
    "email_needed": {
        "ru": "С этим e-mail и паролем человек входит: замените его, но не стирайте.",
        "en": "The person signs in with this e-mail and a password: replace it, but don't remove it.",
    },
    "email_taken": {
        "ru": "Этот e-mail уже подтвердил другой человек.",
        "en": "Somebody else has confirmed this e-mail.",
    },
    "last_owner": {
        "ru": "Это последний владелец: сначала сделайте владельцем кого-нибудь ещё.",
        "en": "This is the last owner: make somebody else an owner first.",
    },
    "invitation_over": {
        "ru": "Приглашение уже использовано, отменено или устарело. Попросите салон о новом.",
        "en": "The invitation was used or withdrawn, or it is out of time. Ask the salon for a new one.",
    },
    "account_in_use": {
        "ru": "В этот кабинет уже входят.",
        "en": "Somebody signs in to this account already.",
    },
    "no_email": {"ru": "Введите e-mail, с ним вы будете входить.", "en": "Enter an e-mail to sign in with."},
    "telegram_unavailable": {
        "ru": "Telegram сейчас не отвечает. Попробуйте позже.",
        "en": "Telegram does not answer now. Try again later.",
    },
    "undo_over": {
        "ru": "Отменить уже нельзя: прошло больше десяти минут или списание уже отменено.",
        "en": "It can't be undone any more: ten minutes are over, or it was undone already.",
    },
    "no_visit": {
        "ru": "У клиента сегодня нет визита, поэтому списать может только владелец.",
        "en": "The client has no visit today, so only an owner can spend the points.",
    },
    "same_user": {
        "ru": "Аккаунт нельзя объединить с самим собой.",
        "en": "An account can't be merged into itself.",
    },
    "cannot_merge_admin": {
        "ru": "Аккаунт сотрудника нельзя объединить с другим.",
        "en": "An account of the staff can't be merged into another.",
    },
    "hooks_not_allowed": {
        "ru": "Токен пользователя не видит настройки вебхуков: дайте ему это право или вставьте адрес вручную.",
        "en": "The user token may not see the webhook settings: give it that right, or paste the address by hand.",
    },
    "hooks_changed": {
        "ru": "Настройки вебхуков только что изменились. Посмотрите ещё раз, что будет записано.",
        "en": "The webhook settings have just been changed. Look once more at what will be written.",
    },
    "hooks_full": {
        "ru": "В филиале уже 10 адресов, больше YCLIENTS не принимает: сначала удалите один из них.",
        "en": "The branch has 10 addresses already, and YCLIENTS takes no more: remove one of them first.",
    },
    "changed_meanwhile": {
        "ru": "Салон только что изменил этот визит. Посмотрите на него и попробуйте ещё раз.",
        "en": "The salon has just changed this visit. Look at it and try again.",
    },
    "not_claimable": {
        "ru": "Эту запись нельзя отдать вашему аккаунту. Позвоните в салон.",
        "en": "This booking can’t be given to your account. Call the salon.",
    },
    "hook_not_set_up": {
        "ru": "В YCLIENTS этот адрес ещё не указан.",
        "en": "YCLIENTS does not have this address yet.",
    },
}
"""Texts by the stable `code` of the problem."""

_OTHER: Words = {"ru": "Не получилось.", "en": "Something went wrong."}


def problem_text(code: str, language: Language) -> str:
    """Return the text for a person; the problem's own `detail` is for programmers."""
    return PROBLEMS.get(code, _OTHER)[language]
